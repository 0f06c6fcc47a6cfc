"""Our service compared with common alternatives: the table of ratios.

Every server has the same predictors, two workers and the same load (wrk, on the same machine), in
alternating rounds; the figures are medians of the samples during which nothing else used the
machine, or of all samples if there are none. A second client checks responses in each round,
because wrk sees only their status. Peers are installed in separate environments, which are kept
in BENCH_DIR (default: in the user's cache folder). ROUNDS and SECONDS set the duration.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from platformdirs import user_cache_path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from nachlass_service.bundle.agreement import agree  # noqa: E402
from nachlass_service.bundle.bundle import Bundle  # noqa: E402
from support.cells import write_notebook  # noqa: E402
from support.command import NACHLASS  # noqa: E402
from support.served import free_port, service_command  # noqa: E402

HERE = Path(__file__).parent / "peers"
FOLDER = Path(os.environ.get("BENCH_DIR", user_cache_path("nachlass") / "bench")).resolve()
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS", "2"))
CONNECTIONS = (1, 16, 64)
WORKERS = "2"
MAX_FOREIGN_CORES = 0.3
"""The most cores that other processes may use during a clean sample."""
TICKS = os.sysconf("SC_CLK_TCK")

SUM = "# %%\ndef predictor(x):\n    return sum(x)\nsamples = [[n, n + 1, 0.5] for n in range(40)]\n"
TEXTS = """# %%
requirements = [["numpy", "2.4.6"], ["scikit-learn", "1.9.1"], ["scipy", "1.17.1"]]
import random
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
# %%
choose = random.Random(7)
words = ["".join(choose.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(3000)]
def text(kind):
    return " ".join(choose.choices(words[:2000] if kind else words[1000:], k=60))
kinds = [number % 2 for number in range(2000)]
model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(map(text, kinds), kinds)
# %%
def predictor(x):
    return model.predict([x])[0]
samples = [text(number % 2) for number in range(40)]
"""

PEERS = {
    "FastAPI": (["fastapi", "uvicorn[standard]"], "uvicorn app_fastapi:app --no-access-log", {}),
    "FastAPI, metrics": (
        ["fastapi", "uvicorn[standard]", "prometheus-client"],
        "uvicorn app_fastapi:app --no-access-log",
        {"METRICS": "1"},
    ),
    "KServe": (["kserve"], "app_kserve.py --enable_grpc=false --enable_latency_logging=false", {}),
    "Flask, sync": (["flask", "gunicorn", "prometheus-client"], "gunicorn app_flask:app", {}),
    "Flask, threads": (
        ["flask", "gunicorn", "prometheus-client"],
        "gunicorn app_flask:app -k gthread --threads 8",
        {},
    ),
}
FLAGS = {"uvicorn": "--port {port} --workers 2", "gunicorn": "-b 127.0.0.1:{port} -w 2"}
GOALS = {
    "FastAPI": {"B": 2.2, "A": 1.35, "C": 1.15, "A batched": 4},
    "FastAPI, metrics": {"B": 3, "A": 1.6, "C": 1.2, "A batched": 5},
    "KServe": {"B": 5.5, "A": 2.3, "C": 1.4, "A batched": 6.5},
    "Flask, sync": {"B": 7, "A": 2.6, "C": 1.6, "A batched": 8},
    "plain loop": {"A": 0.57, "C": 0.72, "A batched": 1.4},
}


@dataclass
class Sample:
    """The measurements of a server for some seconds at a number of connections."""

    per_s: float
    p99_ms: float
    cpu_us: float
    foreign: float
    errors: int


@dataclass
class Results:
    """All samples, by server, model and connections."""

    samples: dict = field(default_factory=dict)

    def add(self, server, model, connections, sample):
        self.samples.setdefault((server, model, connections), []).append(sample)

    def of(self, server, model, connections, what):
        samples = self.samples[server, model, connections]
        clean = [s for s in samples if s.foreign <= MAX_FOREIGN_CORES]
        return median(getattr(sample, what) for sample in clean or samples)

    def best(self, server, model):
        return max(self.of(server, model, c, "per_s") for c in (16, 64))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    bundles = build_models()
    environments = {name: environment(name, bundles["A"]) for name in PEERS}
    results, loops = Results(), {"A": [], "C": []}
    for number in range(ROUNDS):
        for model, bundle in bundles.items():
            servers = [("ours", lambda b=bundle: ours(b))]
            if model != "A batched":
                servers += [
                    (name, lambda n=name, b=bundle: peer(n, environments[n], b)) for name in PEERS
                ]
            for name, start in servers:
                measure(results, name, model, bundle, start)
            if model in loops:
                loops[model].append(plain_loop(environments["Flask, sync"], bundle))
            print(f"round {number + 1}, {model}: done", file=sys.stderr, flush=True)
    report(results, {model: median(values) for model, values in loops.items()})


def build_models():
    """Return the bundles by name; A is also served without its batch_predictor."""
    bundles = {}
    for name, origin in (("A batched", TESTS.parent / "examples/kmeans"), ("B", SUM), ("C", TEXTS)):
        folder = FOLDER / name.replace(" ", "-")
        source = origin if isinstance(origin, Path) else folder / "source"
        if isinstance(origin, str):
            write_notebook(source / "model.ipynb", origin)
        command = [NACHLASS, "build"]
        subprocess.run([*command, source, "-o", folder / "bundle", "-q"], check=True)
        bundles[name] = folder / "bundle"
    alone = FOLDER / "A/bundle"
    shutil.rmtree(alone, ignore_errors=True)
    shutil.copytree(bundles["A batched"], alone, symlinks=True)
    manifest = json.loads((alone / "manifest.json").read_text())
    (alone / "manifest.json").write_text(json.dumps({**manifest, "batch": False}))
    return {"B": bundles["B"], "A": alone, "C": bundles["C"], "A batched": bundles["A batched"]}


def environment(name, bundle):
    """Return a peer's environment, with the models' requirements in our versions."""
    folder = FOLDER / f"venv-{re.sub('[^a-z]+', '-', name.lower())}"
    if not (folder / "installed").exists():
        packages = json.loads((bundle / "manifest.json").read_text())["packages"]
        shared = ("numpy", "scikit-learn", "scipy", "cloudpickle")
        pinned = [f"{package}=={packages[package]}" for package in shared]
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [folder / "bin/python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *pinned, *PEERS[name][0]], check=True)
        (folder / "installed").touch()
    return folder


@contextmanager
def ours(bundle):
    """Run our service as in the README."""
    port = free_port()
    command = service_command(bundle, os.environ, "--port", str(port))
    with running(command, {"WEB_CONCURRENCY": WORKERS}) as pid:
        yield pid, f"http://127.0.0.1:{port}/predict", lambda x: x, lambda y: y


@contextmanager
def peer(name, venv, bundle):
    """Run a peer with the predictor of a bundle."""
    port = free_port()
    program, *words = PEERS[name][1].split()
    if program.endswith(".py"):
        command = [venv / "bin/python", program, *words, f"--http_port={port}", "--workers=2"]
        path, wrap = "v1/models/m:predict", lambda x: {"instances": [x]}
        unwrap = lambda y: y["predictions"][0]  # noqa: E731 - one of four small ones
    else:
        flags = FLAGS[program].format(port=port).split()
        command = [venv / "bin/python", "-m", program, *words, *flags]
        path, wrap, unwrap = "predict", lambda x: x, lambda y: y
    counts = FOLDER / "counts"
    shutil.rmtree(counts, ignore_errors=True)
    counts.mkdir()
    variables = {"BUNDLE": str(bundle), "PROMETHEUS_MULTIPROC_DIR": str(counts), **PEERS[name][2]}
    with running(command, variables) as pid:
        yield pid, f"http://127.0.0.1:{port}/{path}", wrap, unwrap


@contextmanager
def running(command, variables):
    """Run a server, yield its pid, and stop it with its child processes."""
    with (FOLDER / "servers.log").open("ab") as log:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=HERE,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def measure(results, name, model, bundle, start):
    """Run one round of one server and one model."""
    samples = list(Bundle.open(bundle).samples())
    with start() as (pid, url, wrap, unwrap):
        wait_for(url, wrap(samples[0][0]))
        for sample, expected in samples[:20]:
            answer = unwrap(post(url, wrap(sample)))
            if not agree(expected, answer):
                raise RuntimeError(f"{name} answers {answer} to {sample}, not {expected}")
        body = json.dumps(wrap(samples[0][0]))
        wrk(pid, url, body, 16, 1)  # warms up
        for connections in CONNECTIONS:
            sample = wrk(pid, url, body, connections, SECONDS)
            if sample.foreign > MAX_FOREIGN_CORES:  # retry once
                sample = wrk(pid, url, body, connections, SECONDS)
            results.add(name, model, connections, sample)


def post(url, value):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(value).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def wait_for(url, value):
    ends_at = time.monotonic() + 120
    while True:
        try:
            return post(url, value)
        except OSError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.1)


def wrk(pid, url, body, connections, seconds):
    """Generate load for some seconds."""
    script = FOLDER / "post.lua"
    quoted = json.dumps(body, ensure_ascii=False)  # also a Lua string
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = {quoted}\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", script, "--latency", url]
    busy, mine, began = busy_s(), cpu_s(pid), time.monotonic()
    children = os.times()
    done = subprocess.run(
        list(map(str, command)), capture_output=True, encoding="utf-8", check=True
    )
    took, used = time.monotonic() - began, cpu_s(pid) - mine
    ended = os.times()
    by_wrk = ended.children_user + ended.children_system
    by_wrk -= children.children_user + children.children_system
    requests = int(re.search(r"(\d+) requests in", done.stdout)[1])
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    broken = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout)
    return Sample(
        per_s=float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]),
        p99_ms=milliseconds(re.search(r"^ +99% +(\S+)", done.stdout, re.MULTILINE)[1]),
        cpu_us=1e6 * used / max(1, requests),
        foreign=max(0.0, (busy_s() - busy - used - by_wrk) / took),
        errors=(int(failed[1]) if failed else 0) + sum(map(int, broken.groups() if broken else ())),
    )


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def busy_s():
    """Return the total busy seconds of all cores."""
    values = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(values) - values[3] - values[4]) / TICKS


def cpu_s(pid):
    """Return the CPU seconds of a process and its descendants."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(
        cpu_s(int(child)) for child in children
    )


def plain_loop(venv, bundle):
    """Return the predictor's calls per second in two processes that do nothing else."""
    [sample, _prediction] = next(Bundle.open(bundle).samples())
    command = [venv / "bin/python", "loop.py", json.dumps(sample), str(SECONDS)]
    with ExitStack() as opened:
        processes = [
            opened.enter_context(
                subprocess.Popen(
                    list(map(str, command)),
                    cwd=HERE,
                    env={**os.environ, "BUNDLE": str(bundle)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(2)
        ]
        for process in processes:
            process.stdout.readline()
        return sum(float(process.communicate("\n")[0]) for process in processes)


def report(results, loops):
    """Print all figures, and the ratios with their goals."""
    print("requests/s (p99 in ms, CPU in us per request, clean samples / all)\n")
    for (server, model, connections), samples in sorted(results.samples.items()):
        clean = sum(sample.foreign <= MAX_FOREIGN_CORES for sample in samples)
        figures = [results.of(server, model, connections, w) for w in ("per_s", "p99_ms", "cpu_us")]
        errors = sum(sample.errors for sample in samples)
        print(
            f"{model:10} {connections:3} {server:17} {figures[0]:8.0f} ({figures[1]:.1f} ms, "
            f"{figures[2]:.0f} us, {clean}/{len(samples)}) {errors or 'no'} errors"
        )
    print("\nratio of ours to theirs, best of 16 and 64 connections (goal)\n")
    for name, goals in GOALS.items():
        cells = []
        for model, goal in goals.items():
            plain = model.removesuffix(" batched")
            theirs = loops[plain] if name == "plain loop" else results.best(name, plain)
            fast = (
                results.of("ours", model, 64, "per_s")
                if model == "A batched"
                else results.best("ours", model)
            )
            cells.append(f"{model} {fast / theirs:5.2f} ({goal})")
        print(f"{name:17} " + "   ".join(cells))
    for model in ("A", "C"):
        theirs = min(results.of(name, model, 16, "p99_ms") for name in PEERS)
        ratio = results.of("ours", model, 16, "p99_ms") / theirs
        print(f"p99 of {model} at 16 connections, ratio to the best peer: {ratio:.2f} (limit 1.15)")


if __name__ == "__main__":
    main()
