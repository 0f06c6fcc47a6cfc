"""The pages of the documentation, and a reader that runs their commands."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import nbformat

from support.command import NACHLASS
from support.project import PROJECT
from support.served import free_port

README, DOCS = PROJECT / "README.md", PROJECT / "docs"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^(`{3,})([^\n]*)\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
LONG_RUNNING = ("nachlass serve ", "make demo", "prometheus ")
"""The beginnings of commands that run until Ctrl-C."""
EXIT_CODE = re.compile(r"# exit code (\d+)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, or that of a `code-block`, its class and its text."""

    language: str
    mark: str
    text: str

    @property
    def commands(self):
        """The commands of a shell block, with continued lines joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for line in lines if line.strip()]


def blocks(page):
    """Yield every fenced block of a page."""
    for _, info, text in FENCE.findall(page.read_text(encoding="utf-8")):
        directive, _, language = info.strip().rpartition(" ")
        mark = re.match(r":class: (\S+)\n", text)
        yield Block(
            language if directive in ("", "{code-block}") else info,
            mark[1] if mark else "",
            text[mark.end() :] if mark else text,
        )


class Reader:
    """Follows a page in a folder: runs commands, pastes cells, checks the output.

    `substitutions` replaces parts of commands for a test.
    """

    def __init__(self, folder, environ, tmp_path):
        self._folder, self._log = folder, tmp_path / "log"
        self.substitutions = {}
        self._log.touch()
        self.ports = {"8080": free_port(), "9090": free_port()}
        path = os.pathsep.join([str(NACHLASS.parent), environ["PATH"]])
        self._environ = {**environ, "PATH": path, "PORT": str(self.ports["8080"])}
        self._background = []

    def follow(self, page, elsewhere, notebook=None):
        """Run a page's commands except those in `elsewhere`; return their number."""
        ran = 0
        try:
            for block in blocks(page):
                if block.language == "sh" and not block.mark:
                    for command in block.commands:
                        if command.partition(" #")[0].strip() not in elsewhere:
                            self.run(command)
                            ran += 1
                elif block.language == "python":
                    self.paste(block.text.rstrip("\n"), notebook)
                elif block.language == "text":
                    self.expect(block.text)
        finally:
            self.end()
        return ran

    def run(self, command):
        """Run a command of the page, with free ports."""
        runnable = self._localized(command)
        if command.startswith(LONG_RUNNING):
            self._start(runnable)
            return
        code = EXIT_CODE.search(command)
        with self._log.open("ab") as log:
            done = subprocess.run(
                ["bash", "-c", runnable],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=900,
                check=False,
            )
        assert done.returncode == (int(code[1]) if code else 0), f"{runnable}\n{self.log[-4000:]}"
        for file in self._folder.glob("*/prometheus.yml"):
            file.write_text(self._localized(file.read_text()))

    def paste(self, text, notebook):
        """Add a cell to a notebook, or replace the cell with the same beginning."""
        path = self._folder / notebook
        found = nbformat.read(path, 4) if path.exists() else nbformat.v4.new_notebook()
        cell = nbformat.v4.new_code_cell(text)
        begin = text.partition("=")[0]
        same = [n for n, each in enumerate(found.cells) if each.source.startswith(begin)]
        if same:
            found.cells[same[0]] = cell
        else:
            found.cells.insert(0 if begin.startswith("requirements") else len(found.cells), cell)
        nbformat.write(found, path)

    def expect(self, text):
        """Check that the lines on the page were printed, ignoring numbers."""
        printed = {_without_numbers(line) for line in self.log.splitlines()}
        for line in filter(str.strip, text.splitlines()):
            assert _without_numbers(line) in printed, f"{line}\n{self.log[-4000:]}"

    @property
    def log(self):
        return self._log.read_text(encoding="utf-8")

    @property
    def metrics(self):
        return self._get("8080", "/metrics").decode()

    def alerts(self):
        """Return the names of the firing alerts."""
        found = json.loads(self._get("9090", "/api/v1/alerts"))["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}

    def end(self):
        """Interrupt the running commands, the last one first."""
        for process in reversed(self._background):
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)
        self._background.clear()

    def _localized(self, text):
        """Return a text of the page with the substitutions and ports of this test."""
        for original, replacement in self.substitutions.items():
            text = text.replace(original, replacement)
        for public, port in self.ports.items():
            text = text.replace(f"localhost:{public}", f"localhost:{port}")
        return text.replace("$!", str(self._background[-1].pid)) if self._background else text

    def _start(self, command):
        public, path = "8080", "/readyz"
        if command.startswith("prometheus"):
            public, path = "9090", "/-/ready"
            command += f" --web.listen-address=127.0.0.1:{self.ports[public]}"
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command.removesuffix(' &')}"],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._background.append(process)
        ends_at = time.monotonic() + 300
        while not self._answers(public, path):
            assert process.poll() is None, f"{command}\n{self.log[-4000:]}"
            assert time.monotonic() < ends_at, f"{command}\n{self.log[-4000:]}"
            time.sleep(0.3)

    def _answers(self, public, path):
        try:
            self._get(public, path)
        except (OSError, urllib.error.HTTPError):
            return False
        return True

    def _get(self, public, path):
        url = f"http://localhost:{self.ports[public]}{path}"
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.read()


def _without_numbers(line):
    """Return a line with numbers and versions replaced and blanks joined."""
    return re.sub(r"\d+(\.\d+)*", "N", " ".join(line.split()))
