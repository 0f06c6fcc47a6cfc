"""Builds the wheel of nachlass-service from the source that ships with the builder."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tomllib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from nachlass_builder.foundation.errors import NachlassError
from nachlass_builder.foundation.in_use import hold
from nachlass_builder.foundation.process import Deadline, run
from nachlass_builder.packages.pylock import folder_digest

PACKAGE = "nachlass_service"
DISTRIBUTION = "nachlass-service"
WHEELS = "service"
"""The folder of the cache with the wheel of each version."""
OURS = Path(__file__).resolve().parents[1]
"""The folder of this package, in a checkout or in an installation."""
BUILD_VARIABLES = ("HATCH_", "SOURCE_DATE_EPOCH")
"""Variables that would change the wheel."""
IGNORED_FILES = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info")


def service_source() -> Path:
    """Return the folder of the service's pyproject.toml, in an installation or a checkout."""
    for folder in (OURS / "service", OURS.parent.parent / "service"):
        if (folder / "pyproject.toml").is_file():
            return folder
    raise NachlassError("the source of nachlass-service is missing", remedy="reinstall nachlass")


@cache
def service_requirements() -> tuple[str, ...]:
    """Return the requirements of the service in the model's environment."""
    text = (service_source() / "pyproject.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["project"]["dependencies"])


@cache
def service_digest() -> str:
    """Return a digest of the service's source, which separates environments by version."""
    source = service_source()
    project = hashlib.sha256((source / "pyproject.toml").read_bytes()).hexdigest()
    return f"{project[:16]}{folder_digest(source / PACKAGE)[:16]}"


def build_service_wheel(cache: Path, deadline: Deadline) -> Path:
    """Build the service wheel without an index, once for each state of the source."""
    source = service_source()
    folder = cache / WHEELS / f"{service_digest()}-hatchling-{version('hatchling')}"
    folder.mkdir(parents=True, exist_ok=True)
    hold(folder)
    built = _wheel_in(folder)
    if built:
        return built
    with TemporaryDirectory(dir=folder) as temporary:
        copy, output = Path(temporary) / "source", Path(temporary) / "wheel"
        copy.mkdir()
        shutil.copyfile(source / "pyproject.toml", copy / "pyproject.toml")
        shutil.copytree(source / PACKAGE, copy / PACKAGE, ignore=IGNORED_FILES)
        completed = run(
            [sys.executable, "-P", "-m", "hatchling", "build", "-t", "wheel", "-d", output],
            doing="building the service wheel",
            deadline=deadline,
            cwd=copy,
            environment={k: v for k, v in os.environ.items() if not k.startswith(BUILD_VARIABLES)},
        )
        made = _wheel_in(output)
        if completed.status or not made:
            raise NachlassError(
                "the service wheel cannot be built", details=completed.stderr.strip()
            )
        # A concurrent build may do the same: one of the equal files stays.
        return made.replace(folder / made.name)


def _wheel_in(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("*.whl"))), None)
