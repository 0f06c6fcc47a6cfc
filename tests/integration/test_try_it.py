"""The form of the page in a browser: it sends a sample, and shows the call in three languages."""

import ast
import json
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from nachlass_service.bundle.bundle import Bundle
from support.command import user_environment
from support.served import served

pytestmark = pytest.mark.needs("chromium", "apt-get install chromium")

AWKWARD = (
    '{"text": "it\'s \\"quoted\\", `$HOME` \\\\ and \\/", "pair": "\\ud83d\\ude00 or 😀"}',
    '[true, false, null, "true", "null", -0.0, 1e5, 12345678901234567890]',
    '{\n  "a": {"b": []},\n  "\\u2028": "line\\u2028end\\n\\ttab"\n}',
    '"</textarea><script>alert(1)</script>"',
)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def service(kmeans, cache):
    with served(kmeans, user_environment(cache), "--local") as service:
        yield service


@pytest.fixture
def page(browser, service):
    """The page, whose script must not fail."""
    context = browser.new_context(viewport={"width": 400, "height": 900}, color_scheme="dark")
    opened = context.new_page()
    errors = []
    opened.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 - it must have attributes
    opened.goto(f"{service.url}/")
    yield opened
    assert errors == []
    context.close()


def test_the_example_is_sent_by_keyboard(page, kmeans):
    sample, prediction = next(Bundle.open(kmeans).samples())
    assert json.loads(page.locator("#sample").input_value()) == sample
    page.locator("#sample").focus()
    page.keyboard.press("Control+Enter")
    page.locator("#outcome", has_text="Status 200 in").wait_for()
    assert json.loads(page.locator("#answer").inner_text()) == prediction
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Predict"
    page.keyboard.press("Enter")
    page.locator("#outcome", has_text="Status 200 in").wait_for()


def test_an_error_is_shown_as_the_service_reports_it(page):
    for text, status in (("[1", 400), ('["a", "b"]', 422)):
        page.locator("#sample").fill(text)
        page.get_by_role("button", name="Predict").click()
        page.locator("#outcome", has_text=f"Status {status} in").wait_for()
        assert json.loads(page.locator("#answer").inner_text())["status"] == status


def test_a_stopped_service_is_reported(page):
    page.context.set_offline(True)
    page.get_by_role("button", name="Predict").click()
    page.locator("#outcome", has_text="The service cannot be reached").wait_for()
    assert not page.locator("#answer").is_visible()


def test_the_calls_in_all_languages_work(page, kmeans):
    _sample, prediction = next(Bundle.open(kmeans).samples())
    curl = page.locator("#curl").inner_text().replace("\n", " ")
    for words in (["sh", "-c", curl], [sys.executable, "-c", text_of(page, "python")]):
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == prediction
    with page.expect_console_message() as message:
        page.evaluate(f"(async () => {{ {text_of(page, 'javascript')} }})()")
    assert json.loads(message.value.text) == prediction


@pytest.mark.parametrize("text", AWKWARD)
def test_any_sample_is_quoted(page, text):
    page.locator("#sample").fill(text)
    body = page.evaluate("document.getElementById('curl').textContent").partition(" -d ")[2]
    echoed = subprocess.run(["sh", "-c", f"printf %s {body}"], capture_output=True, check=True)
    assert echoed.stdout.decode() == text
    tree = ast.walk(ast.parse(text_of(page, "python")))
    [sent] = [node for node in tree if isinstance(node, ast.keyword) and node.arg == "json"]
    assert ast.literal_eval(sent.value) == json.loads(text)


def test_text_that_is_not_json_leaves_the_calls_as_they_are(page):
    before = text_of(page, "python")
    page.locator("#sample").fill("[1,")
    assert text_of(page, "python") == before


def test_the_address_is_that_of_the_page(page, service):
    assert page.evaluate("address") == f"{service.url}/predict"
    assert urlsplit(page.url).path == "/"


def text_of(page, name):
    return page.evaluate(f"document.getElementById('{name}').textContent")
