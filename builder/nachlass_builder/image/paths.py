"""Places in an image, and what is put there."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.size import megabytes, size_of

APP_ROOT = Path("/opt/app-root")
"""The environment that serves; the image's PATH names its `bin`."""
BUNDLE = APP_ROOT / "bundle"
ARTIFACTS = Path("/var/lib/nachlass/artifacts")
"""What a build with s2i leaves to the next; apart from the model, which is copied whole."""
MADE = APP_ROOT / ".build/bundle"
"""Where a stage of its own makes the bundle."""
MADE_SOURCE = APP_ROOT / ".source"
"""Where that stage puts the bundle's source, which is a layer of its own."""
DESTINATION = Path("/tmp")  # noqa: S108 - it is s2i's
"""Where s2i lays down the source, and the artifacts of the previous build."""
SOURCE = DESTINATION / "src"
PUBLIC = DESTINATION / "parameters.json"
"""The parameters of `nachlass image` that are no secrets, by name, in the stage that builds."""
INJECTED = DESTINATION / "injected"  # OpenShift has a volume of its own at /tmp/build
"""Files for the build alone, credentials among them."""
CACHE = Path("/var/cache/nachlass")
"""Mounted while `nachlass image` builds, and in no image."""
SYSTEM = Path("/var/lib/nachlass/system")
"""What s2i's build, which is no user that could install packages, has unpacked of them."""
PACKAGES = "packages"
"""The file, beside the bundle, of the system packages that an image with the model needs."""
RUN = "/usr/libexec/s2i/run"


def place_environment(environment: Path, put: Callable[[Path, Path], object]) -> None:
    """Put an environment, which is relocatable, where the image's PATH expects it."""
    for entry in environment.iterdir():
        target = APP_ROOT / entry.name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        put(entry, target)


def write_for_all(file: Path, text: str) -> None:
    """Write a file that every user can read, whatever the umask."""
    file.write_text(text, encoding="utf-8")
    file.chmod(0o644)


def let_all_read(folder: Path) -> None:
    """Let every user read what the owner can, nobody else write, and no program be its owner.

    Files of a source have the modes that they had there, and a cache may be a group's.
    """
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        of_owner = mode & 0o500
        wanted = mode & 0o755 | of_owner >> 3 | of_owner >> 6
        if wanted != mode:
            with suppress(PermissionError):  # where s2i builds as another user, the root is not its
                path.chmod(wanted)


def tell_sizes(folders: Mapping[str, Path], progress: Progress) -> None:
    """Say what an image is made of."""
    for name, folder in folders.items():
        if folder.is_dir():
            progress.note(f"{name}: {megabytes(size_of(folder))}")
