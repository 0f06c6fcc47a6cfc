"""Measures a build of examples/kmeans, step by step, compared with the same steps with pip.

Four builds: the first with an empty environment cache, one after a changed cell, one of an
unchanged source, one of another model with one more distribution. pip's steps are those of the
original: a virtual environment, an install of the same pins, an execution by nbconvert. Download
caches are warm for both, after one round of each.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import nbformat

TOOK = re.compile(r"     (\d+\.\d) s(?:, \d+\.\d MB)?")
PROJECT = Path(__file__).parents[2]
sys.path.insert(0, str(PROJECT / "tests"))

from support.command import NACHLASS  # noqa: E402


def timed(command, **options):
    started = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", **options)
    return time.monotonic() - started, done.stderr


def steps(output):
    """Yield the steps in a build's progress output, with their seconds."""
    name = None
    for line in output.splitlines():
        if line.startswith("---> "):
            name = line.partition(". ")[2]
        elif name and (took := TOOK.fullmatch(line)):
            yield name, float(took[1])


def build(source, cache):
    command = [NACHLASS, "build", source]
    return timed(command, env={**os.environ, "S2I_CACHE_DIR": str(cache)})


def with_pip(folder, bundle):
    """Run the steps of a build without Nachlass; yield the name and seconds of each."""
    lock = tomllib.loads((bundle / "pylock.training.toml").read_text())
    pins = [f"{package['name']}=={package['version']}" for package in lock["packages"]]
    venv = folder / "pip-venv"
    yield "python -m venv", timed([sys.executable, "-m", "venv", venv])[0]
    install = [venv / "bin" / "pip", "install", "--quiet", *pins, "nbconvert"]
    yield "pip install", timed(install)[0]
    notebook = shutil.copy(PROJECT / "examples/kmeans/model.ipynb", folder)
    execute = [venv / "bin" / "jupyter", "nbconvert", "--to", "notebook", "--execute", notebook]
    yield "jupyter nbconvert --execute", timed(execute)[0]


def compile_all(cache, folder):
    """Return the seconds for compiling a copy of a serving environment on one core."""
    made = next(path for path in cache.glob("envs/*/env") if not (path / "pycache").exists())
    shutil.copytree(made / "lib", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return timed([sys.executable, "-m", "compileall", "-q", folder])[0]


def show(title, rows, total=None):
    print(f"\n{title}")
    for name, seconds in rows:
        print(f"  {seconds:7.1f} s  {name}")
    print(f"  {total if total is not None else sum(s for _, s in rows):7.1f} s  in total")


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = work / "kmeans"
        without = shutil.ignore_patterns(".nachlass")
        shutil.copytree(PROJECT / "examples/kmeans", source, ignore=without)
        build(source, work / "warm-up")
        bundle = source / ".nachlass/bundle"
        list(with_pip(work, bundle))
        shutil.rmtree(work / "pip-venv")
        shutil.rmtree(source / ".nachlass")
        first, output = build(source, work / "cache")
        show("first build", list(steps(output)), first)
        notebook = source / "model.ipynb"
        notebook.write_text(notebook.read_text().replace("n_clusters=7", "n_clusters=6"))
        changed, output = build(source, work / "cache")
        show("second build, a cell changed", list(steps(output)), changed)
        unchanged, _said = build(source, work / "cache")
        show("third build, nothing changed", [], unchanged)
        another = shutil.copytree(source, work / "another", ignore=without)
        notebook = nbformat.read(another / "model.ipynb", 4)
        for cell in notebook.cells:
            cell.source = cell.source.replace("requirements = [", 'requirements = [["six", ""], ')
            cell.source = cell.source.replace("predictor(x):", "predictor(x):\n    import six")
        nbformat.write(notebook, another / "model.ipynb")
        second, output = build(another, work / "cache")
        took = dict(steps(output))
        show("another model, with one distribution more", list(took.items()), second)
        pip = list(with_pip(work, bundle))
        show("with pip", pip)
        compiled = compile_all(work / "cache", work / "compiled")
        print(f"\ncompileall of the serving environment alone: {compiled:.1f} s")
        serving = took["making the serving environment"]
        print(f"another model's serving environment : compileall = {serving / compiled:.2f}")
        print(f"\nfirst build : with pip = {first / sum(s for _, s in pip):.2f}")


if __name__ == "__main__":
    main()
