"""The virtual environments of models, each created once from its lock.

Each attempt gets its own folder, which is renamed when it is complete. The remains of a
killed build therefore cannot disturb the next one, even if a uv process outlives its build
and still writes there. The path of a complete environment is the same in every build,
because outputs of cells show it.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from uuid import uuid4

import tomli_w
from filelock import FileLock, Timeout

from nachlass_builder.foundation.digest import digest_of_file
from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.foundation.in_use import hold
from nachlass_builder.foundation.process import Completed, Deadline
from nachlass_builder.packages.bytecode import Bytecode, bytecode_folder, link_standard_library
from nachlass_builder.packages.library_tests import leave_out_tests
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolver import within_build_limit
from nachlass_builder.packages.uv_program import (
    HASH_MISMATCH,
    OTHER_PLATFORM,
    run_uv,
    uv_arguments,
    uv_message,
)

Purpose = Literal["training", "serving"]

KIND = "1"
"""The version of how environments are made, because caches outlive versions of this file."""
ENVIRONMENTS = "envs"
"""The folder of the cache with a folder for each environment."""
LOCK = "lock"
"""The file that is locked while an environment is created."""
COMPLETE = "env"
"""The name of a complete environment in its folder."""
UNUSED_FILES = (
    ".gitignore",
    "CACHEDIR.TAG",
    "bin/activate*",
    "bin/deactivate.bat",
    "bin/pydoc.bat",
)
"""Files of an empty environment that nothing needs."""
NO_METADATA = {"UV_NO_INSTALLER_METADATA": "1"}
"""Omits INSTALLER, direct_url.json and the like, which describe this machine's installation."""
SYNC = ("pip", "sync", "--quiet", "--preview-features", "pylock", "--allow-empty-requirements")


@dataclass(frozen=True)
class Environment:
    """A complete virtual environment; `reused` if it already existed."""

    path: Path
    reused: bool

    @property
    def key(self) -> str:
        """The digest of everything it depends on."""
        return self.path.parent.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        """The folder of its distributions."""
        major, minor = sys.version_info[:2]
        return self.path / "lib" / f"python{major}.{minor}" / "site-packages"


def ensure_environment(
    lock: Lock,
    *,
    service: Path,
    purpose: Purpose,
    cache: Path,
    indexes: IndexSettings,
    deadline: Deadline,
    note: Callable[[str], None],
) -> Environment:
    """Return the environment of a lock and the service wheel, creating it if not cached."""
    folder = _folder(lock, service, purpose, cache)
    if existing := _taken(folder):
        return existing
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=_seconds(deadline)):
            if existing := _taken(folder):
                return existing
            hold(folder)
            path = _create(
                folder, lock, Installer(service, purpose, cache, indexes, deadline), note
            )
    except Timeout:
        raise deadline.exceeded("waiting for another build of the same environment") from None
    return Environment(path, reused=False)


def existing_environment(
    lock: Lock, *, service: Path, purpose: Purpose, cache: Path
) -> Environment | None:
    """Return the environment of a lock and the service wheel, if it is cached."""
    return _taken(_folder(lock, service, purpose, cache))


def _folder(lock: Lock, service: Path, purpose: Purpose, cache: Path) -> Path:
    """Return an environment's folder, named after a digest of everything it depends on."""
    python = (sys.implementation.name, sys.version, sys.base_prefix)
    facts = (KIND, lock.digest, *python, digest_of_file(service), purpose)
    return cache / ENVIRONMENTS / hashlib.sha256("\0".join(facts).encode()).hexdigest()[:32]


def _taken(folder: Path) -> Environment | None:
    """The complete environment, which is not pruned while this process runs."""
    if not _complete(folder):
        return None
    hold(folder)
    path = _complete(folder)  # a prune may have been faster
    return Environment(path, reused=True) if path else None


def _complete(folder: Path) -> Path | None:
    """Return the complete environment, if its base interpreter still exists."""
    path = folder / COMPLETE
    return path if (path / "bin" / "python").exists() else None


def _create(folder: Path, lock: Lock, installer: Installer, note: Callable[[str], None]) -> Path:
    """Create the environment in a new folder, and rename the folder when it is complete."""
    sources = lock.built_from_source
    if sources and not lock.notes:  # the lock was read, not resolved: nothing has reported this yet
        note(f"built from source: {', '.join(sources)}")
    path = folder / COMPLETE
    for leftover in (path, *folder.glob(f"{COMPLETE}-*")):
        shutil.rmtree(leftover, ignore_errors=True)
    attempt = folder / f"{COMPLETE}-{uuid4().hex[:8]}"
    try:
        installer.fill(attempt, lock, path)
    except BaseException:
        shutil.rmtree(attempt, ignore_errors=True)
        raise
    return attempt.rename(path)


@dataclass(frozen=True)
class Installer:
    """Installs a lock into an environment; `service` is the service wheel."""

    service: Path
    purpose: Purpose
    cache: Path
    indexes: IndexSettings
    deadline: Deadline

    def fill(self, attempt: Path, lock: Lock, path: Path) -> None:
        """Create an environment from a lock, to be moved to `path`; raise RequirementsError."""
        made = self.create(attempt)
        if made.status:
            raise RequirementsError(
                f"cannot create an environment in {attempt}", details=uv_message(made)
            )
        for pattern in UNUSED_FILES:
            for file in attempt.glob(pattern):
                file.unlink()
        completed = self.install(attempt, lock)
        if completed.status:
            raise _not_installed(completed, lock)
        (attempt / ".lock").unlink(missing_ok=True)
        self._compile(
            Environment(attempt, reused=False),
            Environment(path, reused=False),
            with_tests=lock.with_tests,
        )

    def _compile(self, attempt: Environment, complete: Environment, *, with_tests: bool) -> None:
        """Add bytecode to the environment; for training, also the standard library's."""
        folder = None
        if self.purpose == "training":
            prefix = bytecode_folder(attempt.python)
            link_standard_library(prefix)
            folder = prefix / complete.site_packages.relative_to("/")
        tests = Bytecode(self.cache).link_all(
            attempt.site_packages, attempt.python, self.deadline, folder
        )
        if not with_tests:
            leave_out_tests(attempt.site_packages, tests)

    def create(self, path: Path) -> Completed:
        """Create an empty environment for the running Python."""
        return run_uv(
            # Relocatable, because an image moves it.
            ["venv", "--quiet", "--no-project", "--relocatable", "--python", sys.executable, path],
            indexes=self.indexes,
            deadline=self.deadline,
            doing="creating an environment",
            cwd=path.parent,
        )

    def install(self, path: Path, lock: Lock) -> Completed:
        """Install exactly the locked packages, and the service.

        The first attempt uses only uv's cache: the hashes identify the files, and many
        indexes would make uv download them again just to revalidate them.
        """
        # Inside the environment, so that removing a killed build's environment removes it too.
        with TemporaryDirectory(dir=path) as folder:
            listed = Path(folder) / "pylock.install.toml"
            listed.touch(mode=0o600)
            listed.write_text(_with_wheel(lock.install_text, self.service), encoding="utf-8")
            words: list[str | Path] = [*SYNC, "--python", path / "bin" / "python"]
            words += uv_arguments(self.indexes)
            cached = self._sync([*words, "--offline", listed], Path(folder))
            return self._sync([*words, listed], Path(folder)) if cached.status else cached

    def _sync(self, words: list[str | Path], folder: Path) -> Completed:
        """Run uv within the limits of a build."""
        return within_build_limit(
            self.deadline,
            lambda deadline: run_uv(
                words,
                indexes=self.indexes,
                deadline=deadline,
                doing="installing the locked packages",
                cwd=folder,
                # The pip of a kernel reads direct_url.json.
                variables=NO_METADATA if self.purpose == "serving" else None,
            ),
        )


def _with_wheel(text: str, wheel: Path) -> str:
    """Add the wheel to the lock's text, so that one call installs everything."""
    document = tomllib.loads(text)
    name, version = wheel.name.split("-")[:2]
    archive = {
        "path": str(wheel),
        "hashes": {"sha256": digest_of_file(wheel)},
    }
    service = {"name": name.replace("_", "-"), "version": version, "archive": archive}
    return tomli_w.dumps({**document, "packages": [*document.get("packages", ()), service]})


def _not_installed(completed: Completed, lock: Lock) -> RequirementsError:
    """Return the error for a lock that uv could not install."""
    if found := HASH_MISMATCH.search(completed.stderr):
        return RequirementsError(
            f"{found[1]} is not the file that was locked: a different file has the same name",
            details=uv_message(completed),
            remedy="find out who changed it; if it is intended, `nachlass build --force` locks it",
        )
    if OTHER_PLATFORM.search(completed.stderr):
        return RequirementsError(
            "the lock is for another Python or platform",
            details=uv_message(completed),
            remedy="use the Python that it was made with, or rebuild",
        )
    sources = lock.built_from_source
    here = lock.only_here
    if sources:
        remedy = f"use versions with a wheel instead of {', '.join(sources)}"
    elif here:
        remedy = f"the lock refers to files that exist on one machine only, for {', '.join(here)}"
    else:
        remedy = "check the network and the credentials of the package index"
    return RequirementsError(
        "the locked packages cannot be installed", details=uv_message(completed), remedy=remedy
    )


def _seconds(deadline: Deadline) -> float:
    """Return the time left in the form file locks expect: -1 means forever."""
    remaining = deadline.remaining_s()
    return -1 if remaining is None else remaining
