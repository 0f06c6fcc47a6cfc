"""Checks the programs that a build starts."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from nachlass_builder.doctor.check import Check, error, failed, ok, warning
from nachlass_builder.foundation.errors import (
    ImageError,
    NachlassError,
    RequirementsError,
    SourceError,
    TimeLimitError,
)
from nachlass_builder.foundation.process import Deadline, run
from nachlass_builder.image.engine import PROGRAMS, Engine
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.uv_program import run_uv, uv_message, uv_program

COMPILERS = ("cc", "gcc", "clang")
LIMIT_S = 30.0


def check_python(indexes: IndexSettings) -> Iterator[Check]:
    """Check that this Python can create environments."""
    name = f"{platform.python_implementation()} {platform.python_version()}"
    with TemporaryDirectory(prefix="nachlass-") as folder:
        words = ["venv", "--quiet", "--no-project", "--python", sys.executable, f"{folder}/env"]
        try:
            made = run_uv(
                words,
                indexes=indexes,
                deadline=Deadline.after(LIMIT_S),
                doing="creating an environment",
                cwd=Path(folder),
            )
        except RequirementsError:
            return  # without uv, of which another check tells
        except TimeLimitError:
            problem = f"it takes too long (limit {LIMIT_S:g} s)"
        except NachlassError as failure:
            problem = failure.message
        else:
            problem = uv_message(made) if made.status else ""
    if problem:
        message = f"{name} ({sys.executable}) cannot create environments: {problem}"
        yield error("python", message, "install nachlass with another Python", RequirementsError)
    else:
        yield ok("python", f"{name} ({sys.executable}); it can create environments")


def check_uv() -> Iterator[Check]:
    """Check that uv, which nachlass requires, is installed with it."""
    try:
        path = uv_program()
    except RequirementsError as failure:
        yield failed("uv", failure)
        return
    yield ok("uv", f"{_version([path, '--version'])} ({path})")


def check_git() -> Iterator[Check]:
    """Check that git, which reads the source, is installed."""
    path = shutil.which("git")
    if path:
        yield ok("git", f"{_version([path, '--version'])} ({path})")
    else:
        yield error("git", "git is not installed", "install git", SourceError)


def check_engines() -> Iterator[Check]:
    """Check which program `nachlass image` uses."""
    try:
        chosen = Engine.find().program
    except ImageError as failure:
        yield warning("engine", f"{failure.message}: nachlass image cannot work", failure.remedy)
        return
    others = [name for name in PROGRAMS if name != chosen and shutil.which(name)]
    also = f"; also installed: {', '.join(others)}" if others else ""
    yield ok("engine", f"nachlass image uses {chosen} ({shutil.which(chosen)}){also}")


def check_compiler(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check that packages without wheels can be compiled."""
    command = (environ.get("CC") or "").split()[:1]
    found = next(filter(None, map(shutil.which, (*command, *COMPILERS))), None)
    if found:
        yield ok("compiler", f"{found}, for packages without wheels")
    else:
        message = "there is no C compiler: only packages without wheels need one"
        yield warning("compiler", message, "install gcc or clang if a build asks for it")


def _version(words: list[str]) -> str:
    """Return a program's version as it prints it."""
    try:
        completed = run(words, doing="asking for a version", deadline=Deadline.after(LIMIT_S))
    except (NachlassError, OSError):
        return os.path.basename(words[0])  # noqa: PTH119 - a name
    return completed.stdout.strip().partition("\n")[0] or Path(words[0]).name
