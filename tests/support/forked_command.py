"""Runs commands in forks of a process that has imported them, because imports take most time.

Each line of standard input is a request: {"words", "environ", "cwd", "files"}, where the files
are for standard input, output and error; the response is the exit status.
"""

import gc
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

MODULES = (
    "nachlass_builder.assemble.build",
    "nachlass_builder.packages.sbom",
    "nachlass_builder.assemble.render",
)


def main():
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for name in MODULES:
        import_module(name)
    render_anything()
    gc.freeze()  # the forks collect only their own objects
    for line in requests:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            requests.close()
            answers.close()
            run(request)
        _pid, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def render_anything():
    """Compile the patterns and templates for rendering notebooks, once for all forks."""
    from nachlass_builder.assemble.render import write_executed

    cells = [nbformat.v4.new_code_cell("1"), nbformat.v4.new_markdown_cell("*1*")]
    with TemporaryDirectory() as folder:
        write_executed(nbformat.v4.new_notebook(cells=cells), Path(folder), "any", str)


def run(request):
    """Become the command, with its folder, files and environment, and exit."""
    from nachlass_builder.cli.main import main as command

    os.chdir(request["cwd"])
    for number, name in enumerate(request["files"]):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else 0), number)
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv = ["nachlass", *request["words"]]
    try:
        command()
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        # Shutting down an interpreter whose objects are all shared takes as long as a startup.
        os._exit(ended.code or 0)


if __name__ == "__main__":
    main()
