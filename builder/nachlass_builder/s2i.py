"""What s2i runs in the builder image: assemble and save-artifacts. Builder environment.

    python -m nachlass_builder.s2i assemble|save-artifacts

`assemble` builds the source that s2i has laid down, and leaves in the image the
bundle, its environment where the image's PATH expects it, and nothing else. It
works without a network when the artifacts of the build before are there, which
an image keeps when S2I_KEEP_ARTIFACTS says so.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.build import build
from nachlass_builder.bundle import TRAINING_LOCK, read_manifest, remove, write_seed
from nachlass_builder.credentials import redact
from nachlass_builder.errors import NachlassError, SourceError
from nachlass_builder.git import git
from nachlass_builder.lock import Lock
from nachlass_builder.prepare import Request
from nachlass_builder.process import Deadline
from nachlass_builder.report import Report
from nachlass_builder.settings import KEEP_ARTIFACTS, read_environment_file, unquote

APP_ROOT = Path("/opt/app-root")
DESTINATION = Path("/tmp")  # noqa: S108 - it is s2i's
"""Where s2i lays down the source, and the artifacts of the build before."""
KEPT = "artifacts"
"""The folder of an image, and of s2i, that holds what the next build can use."""
LOCKS = "locks"
INJECTED = Path("/tmp/injected")  # noqa: S108 - OpenShift has a volume of its own at /tmp/build
"""Files for the build alone: pip.conf, .netrc, ssh keys, a bundle of CA certificates."""


def main() -> None:
    """Run one of the two commands; the last line on standard error says what went wrong."""
    try:
        match sys.argv[1:]:
            case ["assemble"]:
                assemble(APP_ROOT)
            case ["save-artifacts"]:
                save_artifacts(APP_ROOT)
            case _:
                sys.exit("usage: python -m nachlass_builder.s2i assemble|save-artifacts")
    except NachlassError as error:
        sys.stderr.write(f"{redact(str(error), ())}\n")
        sys.exit(error.exit_code)


def assemble(app_root: Path) -> None:
    """Make the bundle and its environment below `app_root`, and clear the rest away."""
    source = DESTINATION / "src"
    if not source.is_dir() or not any(source.iterdir()):
        raise SourceError(
            f"there is nothing in {source}",
            remedy="name a git repository, or a folder of one, that holds a notebook",
        )
    report = Report()
    keeps = _keeps_artifacts()
    _warn_of_credentials(report)
    work, bundle = app_root / ".build", app_root / "bundle"
    artifacts = Artifacts(app_root / KEPT)
    artifacts.take_over(DESTINATION / KEPT, bundle, report)
    os.environ.update(_build_environment(source, work, artifacts))
    try:
        build(Request(str(source), bundle, assignments=_given(source)), report)
        with report.step("cleaning up"):
            _move_environment(bundle, app_root)
            give_to_group(bundle / "src")
            if keeps:
                artifacts.keep(bundle)
            else:
                artifacts.remove()
    finally:
        for folder in (work, source, DESTINATION / KEPT):
            remove(folder)
    parts = {"the environment": app_root / "lib", "the bundle": bundle}
    tell_sizes({**parts, "artifacts for the next build": artifacts.folder}, report)


@dataclass(frozen=True)
class Artifacts:
    """What one build leaves to the next: uv's cache, and the locks with what decided them."""

    folder: Path

    @property
    def uv_cache(self) -> Path:
        """Where uv keeps what it has downloaded."""
        return self.folder / "uv"

    def take_over(self, before: Path, bundle: Path, report: Report) -> None:
        """Start with what s2i brings from the image before, and nothing else.

        Its locks go to where the bundle will be: a build keeps the lock of the
        bundle that it replaces, when nothing has changed that decides it.
        """
        self.remove()
        locks = before / LOCKS
        if not _is_seed(locks):
            self.folder.mkdir(parents=True)
            if before.is_dir() and any(before.iterdir()):
                report.warn(f"{before} is not what a build of ours leaves, and is not used")
            return
        shutil.copytree(before, self.folder, symlinks=True)
        shutil.rmtree(bundle, ignore_errors=True)
        shutil.copytree(locks, bundle)
        report.note("artifacts of the build before are used")

    def keep(self, bundle: Path) -> None:
        """Leave them in the image."""
        locks = self.folder / LOCKS
        shutil.rmtree(locks, ignore_errors=True)
        manifest = read_manifest(bundle)
        assert manifest is not None
        lock = (bundle / TRAINING_LOCK).read_text(encoding="utf-8")
        write_seed(locks, lock, manifest["locks"]["resolution"])

    def remove(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)


def save_artifacts(app_root: Path) -> None:
    """Write the kept artifacts to standard output as a tar; an empty one when there are none.

    Hard links become files: s2i's extractor makes empty files of them.
    """
    kept = app_root / KEPT
    words = ["-C", str(kept), "."] if kept.is_dir() else ["--files-from", os.devnull]
    subprocess.run(["tar", "--create", "--hard-dereference", *words], check=True)


def _is_seed(locks: Path) -> bool:
    """Whether it is what a build of ours has left, and can be read."""
    try:
        Lock.read(locks / TRAINING_LOCK)
    except NachlassError:
        return False
    return read_manifest(locks) is not None


def _keeps_artifacts() -> bool:
    """What S2I_KEEP_ARTIFACTS says; raises SourceError."""
    said = unquote(os.environ.get(KEEP_ARTIFACTS, "")).strip()
    if said not in ("", "0", "1"):
        raise SourceError(f"{KEEP_ARTIFACTS} is {said!r}", remedy="use 0 or 1")
    return said == "1"


def _warn_of_credentials(report: Report) -> None:
    """Name the variables with a password in them: s2i keeps all variables in the image."""
    for name, value in os.environ.items():
        if "://" in value and redact(value, ()) != value:
            report.warn(
                f"{name} holds a password, which stays in the image: "
                f"mount a file at {INJECTED} instead"
            )


def _build_environment(source: Path, work: Path, artifacts: Artifacts) -> dict[str, str]:
    """The variables for the build: its folders, the injected credentials, git's trust."""
    variables = {
        "S2I_CACHE_DIR": str(work),
        # A cache that was mounted is the user's choice.
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(artifacts.uv_cache),
        **lent(INJECTED),
    }
    if "S2I_MODEL_NAME" not in os.environ and (name := _repository_name(source)):
        variables["S2I_MODEL_NAME"] = name
    return variables


def lent(folder: Path) -> dict[str, str]:
    """What programs are told of the files lent to a build; s2i leaves emptied ones behind."""
    there = {path.name for path in folder.glob("*") if path.is_file() and path.stat().st_size}
    # The source belongs to whoever cloned it.
    variables = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    for name, variable in (
        ("pip.conf", "PIP_CONFIG_FILE"),
        (".netrc", "NETRC"),
        ("ca.crt", "SSL_CERT_FILE"),
    ):
        if name in there:
            variables[variable] = str(folder / name)
    if "ca.crt" in there:
        variables["GIT_SSL_CAINFO"] = str(folder / "ca.crt")
    keys = sorted(name for name in there if name.startswith("id_") and not name.endswith(".pub"))
    if keys:
        known = "known_hosts" in there
        hosts = f"-o UserKnownHostsFile={folder}/known_hosts" if known else ""
        checking = "yes" if known else "accept-new"
        identities = " ".join(f"-i {folder / key}" for key in keys)
        variables["GIT_SSH_COMMAND"] = (
            f"ssh {identities} -o StrictHostKeyChecking={checking} {hosts}"
        )
    return variables


def _given(source: Path) -> Mapping[str, str]:
    """The source's own variables as the image has them: s2i's `-e` has had the last word."""
    return {name: os.environ[name] for name in read_environment_file(source) if name in os.environ}


def _repository_name(source: Path) -> str | None:
    """The name of the repository that the source was cloned from."""
    url = (
        os.environ.get("OPENSHIFT_BUILD_SOURCE")
        or git(["config", "--get", "remote.origin.url"], source, Deadline()).stdout.strip()
    )
    return url.rstrip("/").rpartition("/")[2].removesuffix(".git") or None


def _move_environment(bundle: Path, app_root: Path) -> None:
    """Put the environment where the image's PATH expects it."""
    environment = (bundle / "venv").resolve()
    for entry in environment.iterdir():
        target = app_root / entry.name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        shutil.move(entry, target)
    (bundle / "venv").unlink()
    (bundle / "venv").symlink_to(os.path.relpath(app_root, bundle))


def give_to_group(folder: Path) -> None:
    """Let the group do what the user may: the files have the modes they had in the source."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (mode & stat.S_IRWXU) >> 3)


def tell_sizes(folders: Mapping[str, Path], report: Report) -> None:
    """Say what an image is made of."""
    for name, folder in folders.items():
        if folder.is_dir():
            report.note(f"{name}: {_size(folder) / 1e6:.0f} MB")


def _size(folder: Path) -> int:
    """The bytes of a folder's files, those with several links once."""
    files = {}
    for path in folder.rglob("*"):
        state = path.lstat()
        files[state.st_ino] = state.st_size
    return sum(files.values())


if __name__ == "__main__":
    main()
