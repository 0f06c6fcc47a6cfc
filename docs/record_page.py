"""Takes the picture of a service's page: `python docs/record_page.py`.

It needs nachlass, httpx and playwright in its environment, and Chromium. It serves
examples/kmeans, sends requests whose distribution differs from the samples', and writes
docs/_static/page.png.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import httpx
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parent
PORT = 8080
URL = f"http://localhost:{PORT}"
REQUESTS = 3000
ROWS = 1000
SIZE = {"width": 960, "height": 2120}


def main() -> None:
    """Serve, send requests, and take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kmeans"
        shutil.copytree(
            DOCS.parent / "examples/kmeans", source, ignore=shutil.ignore_patterns(".nachlass")
        )
        program = Path(sys.executable).with_name("nachlass")
        service = subprocess.Popen(
            [program, "serve", source, "--port", str(PORT), "-e", "S2I_INPUT_METRICS_RATE=1"]
        )
        try:
            _wait()
            _send()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                page = browser.new_page(viewport=SIZE)
                page.goto(URL)
                page.get_by_role("button", name="Predict").click()
                page.locator("#outcome", has_text="Status 200").wait_for()
                page.screenshot(path=DOCS / "_static/page.png")
                browser.close()
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait()


def _wait() -> None:
    """Wait until the service is ready."""
    while True:
        time.sleep(1)
        try:
            if httpx.get(f"{URL}/readyz").is_success:
                return
        except httpx.TransportError:
            pass


def _send() -> None:
    """Send batches of samples, of which the first feature is larger than in the notebook."""
    random = Random(1)  # noqa: S311 - it protects nothing
    for _ in range(REQUESTS // ROWS):
        rows = ([random.uniform(0.4, 1), random.random()] for _ in range(ROWS))
        body = "".join(f"{json.dumps(row)}\n" for row in rows)
        headers = {"Content-Type": "application/x-ndjson"}
        httpx.post(f"{URL}/predict", content=body, headers=headers).raise_for_status()


if __name__ == "__main__":
    main()
