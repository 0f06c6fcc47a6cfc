// "Try it" on the page: sends the sample to the service, and shows the same call in three languages.
"use strict";

const address = new URL("predict", document.baseURI).href;
const sample = document.getElementById("sample");
const outcome = document.getElementById("outcome");
const answer = document.getElementById("answer");
let isWaiting = false;

function shellQuoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

// JSON as a Python expression. Python strings have no escape \/ and no surrogate pairs.
function pythonExpression(json) {
  const names = { true: "True", false: "False", null: "None" };
  return json.replace(/"(?:[^"\\]|\\.)*"|true|false|null/g, (token) =>
    token[0] === '"' ? JSON.stringify(JSON.parse(token)) : names[token],
  );
}

function curl(json) {
  return [
    `curl -s ${shellQuoted(address)}`,
    "-H 'content-type: application/json'",
    `-d ${shellQuoted(json)}`,
  ];
}

function python(json) {
  return `import httpx

response = httpx.post(${JSON.stringify(address)}, json=${pythonExpression(json)})
print(response.json())`;
}

function javascript(json) {
  return `const response = await fetch(${JSON.stringify(address)}, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(${json}),
});
console.log(await response.json());`;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function spanOf(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span;
}

function showCalls() {
  const json = sample.value.trim();
  if (!isJson(json)) return; // while it is typed
  const parts = curl(json).flatMap((part) => [spanOf(part), " "]);
  document.getElementById("curl").replaceChildren(...parts.slice(0, -1));
  document.getElementById("python").textContent = python(json);
  document.getElementById("javascript").textContent = javascript(json);
}

async function predict() {
  if (isWaiting) return;
  isWaiting = true;
  outcome.textContent = "Waiting for the response.";
  answer.hidden = true;
  const startedAt = performance.now();
  try {
    const response = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: sample.value,
    });
    answer.textContent = (await response.text()).trimEnd();
    outcome.textContent = `Status ${response.status} in ${Math.ceil(performance.now() - startedAt)} ms`;
    answer.hidden = false;
  } catch (error) {
    outcome.textContent = `The service cannot be reached: ${error.message}`;
  } finally {
    isWaiting = false;
  }
}

sample.addEventListener("input", showCalls);
sample.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    predict();
  }
});
document.getElementById("try").addEventListener("submit", (event) => {
  event.preventDefault();
  predict();
});
for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
for (const element of document.querySelectorAll(".unscripted")) element.hidden = true;
showCalls();
