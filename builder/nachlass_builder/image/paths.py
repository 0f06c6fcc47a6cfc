"""Paths in an image, and functions that write there."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.size import megabytes, size_of

APP_ROOT = Path("/opt/app-root")
"""The serving environment; its `bin` is on the image's PATH."""
BUNDLE = APP_ROOT / "bundle"
ARTIFACTS = Path("/var/lib/nachlass/artifacts")
"""The artifacts of an s2i build for the next one, separate from the model, which is copied."""
MADE = APP_ROOT / ".build/bundle"
"""The bundle in the build stage."""
MADE_SOURCE = APP_ROOT / ".source"
"""The bundle's source in the build stage; it becomes a separate layer."""
DESTINATION = Path("/tmp")  # noqa: S108 - it is s2i's
"""The folder where s2i puts the source and the artifacts of the previous build."""
SOURCE = DESTINATION / "src"
PUBLIC = DESTINATION / "parameters.json"
"""The parameters of `nachlass image` that are not secret, by name, in the build stage."""
INJECTED = DESTINATION / "injected"  # OpenShift mounts a volume at /tmp/build
"""Files that exist only during the build, such as credentials."""
CACHE = Path("/var/cache/nachlass")
"""A cache that `nachlass image` mounts during the build, and that is in no image."""
SYSTEM = Path("/var/lib/nachlass/system")
"""The system packages that s2i's build unpacked, because its user cannot install them."""
PACKAGES = "packages"
"""The file beside the bundle that lists the system packages of the model."""
RUN = "/usr/libexec/s2i/run"


def place_environment(environment: Path, put: Callable[[Path, Path], object]) -> None:
    """Put a relocatable environment where the image's PATH expects it."""
    for entry in environment.iterdir():
        target = APP_ROOT / entry.name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        put(entry, target)


def write_readable(file: Path, text: str) -> None:
    """Write a file that every user can read, independent of the umask."""
    file.write_text(text, encoding="utf-8")
    file.chmod(0o644)


def make_readable(folder: Path) -> None:
    """Let all users read what the owner can; remove write access of others and setuid bits.

    Files of a source keep their original modes, and a cache may belong to a group.
    """
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        of_owner = mode & 0o500
        readable = mode & 0o755 | of_owner >> 3 | of_owner >> 6
        if readable != mode:
            with suppress(PermissionError):  # s2i may build as a user that does not own the root
                path.chmod(readable)


def report_sizes(folders: Mapping[str, Path], progress: Progress) -> None:
    """Print the sizes of an image's parts."""
    for name, folder in folders.items():
        if folder.is_dir():
            progress.note(f"{name}: {megabytes(size_of(folder))}")
