"""The commands that `nachlass image` runs in its stages.

    python -m nachlass_builder.image.image_stages model [--force]
    python -m nachlass_builder.image.image_stages environment
    python -m nachlass_builder.image.image_stages prove

`model` executes the notebook and writes the bundle. Its environments are in a
mounted cache, and so in no layer. `environment` then creates the serving
environment. Its only input is the bundle's lock, so an engine runs it again
only if the lock changed; therefore equal locks are written as equal files,
including their times. It runs as root, which owns the model. `prove` proves the
model in the finished image, with the parameters mounted during the build.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import click
from filelock import FileLock

from nachlass_builder.assemble.build import build
from nachlass_builder.bundle.layout import SERVING_LOCK, SOURCE_FOLDER
from nachlass_builder.bundle.seed import write_seed
from nachlass_builder.bundle.staging import remove
from nachlass_builder.foundation.console import Group
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image.hooks import keep_pre_run, run_hook
from nachlass_builder.image.injected import injected_environment, injected_parameters
from nachlass_builder.image.kept_packages import keep_packages
from nachlass_builder.image.paths import (
    APP_ROOT,
    BUNDLE,
    CACHE,
    INJECTED,
    MADE,
    MADE_SOURCE,
    PACKAGES,
    PUBLIC,
    RUN,
    SOURCE,
    make_readable,
    place_environment,
    report_sizes,
)
from nachlass_builder.image.variables import RUNTIME_VARIABLES
from nachlass_builder.packages.environment import ensure_environment
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.pip_settings import WHEELHOUSE, IndexSettings
from nachlass_builder.packages.service_wheel import build_service_wheel
from nachlass_builder.source.prepare import Request
from nachlass_builder.system.installed import system_state


@click.group(cls=Group)
def main() -> None:
    """Run a stage of `nachlass image`."""
    os.umask(0o022)
    # Hooks, git and uv inherit these.
    os.environ.update({"S2I_CACHE_DIR": str(CACHE), **injected_environment(INJECTED)})
    os.environ.update(injected_parameters(INJECTED))


@main.command()
@click.option("--force", is_flag=True, help="Re-resolve the requirements.")
def model(*, force: bool) -> None:
    """Execute the notebook and write the bundle."""
    progress = Progress()
    parameters = {**json.loads(PUBLIC.read_text(encoding="utf-8")), **injected_parameters(INJECTED)}
    # Hooks also see these, except variables that could hide git and uv.
    os.environ.update({n: v for n, v in parameters.items() if n not in RUNTIME_VARIABLES})
    seed = CACHE / "seeds" / quote(os.environ["S2I_MODEL_NAME"], safe="")
    lock = FileLock(CACHE / "seeds.lock")
    with lock:
        if seed.is_dir():
            shutil.copytree(seed, MADE)
    run_hook(SOURCE, "pre_assemble", progress)
    request = Request(str(SOURCE), os.environ, MADE, assignments=parameters, force=force)
    request = replace(request, unpack_into=CACHE / "system" / system_state())
    environment = build(request, progress).environment.path
    with lock:
        remove(seed)
        write_seed(seed, MADE)
    report_sizes({"the environment": environment, "the bundle": MADE}, progress)
    keep_packages(SOURCE, environment, MADE.parent, CACHE, progress)
    make_readable(MADE)
    keep_pre_run(SOURCE, MADE.parent, progress)
    run_hook(SOURCE, "post_assemble", progress)
    (MADE_SOURCE / BUNDLE.name).mkdir(parents=True)
    (MADE / SOURCE_FOLDER).rename(MADE_SOURCE / BUNDLE.name / SOURCE_FOLDER)
    for file in (MADE / SERVING_LOCK, MADE.parent / PACKAGES):
        os.utime(file, (0, 0))


@main.command()
def environment() -> None:
    """Create the serving environment from the bundle's lock."""
    progress, lock, source = Progress(), APP_ROOT / SERVING_LOCK, APP_ROOT / "src"
    with progress.step("placing the serving environment"):
        with _as_owner_of(CACHE):
            created = ensure_environment(
                Lock.read(lock),
                service=build_service_wheel(CACHE, Deadline()),
                purpose="serving",
                cache=CACHE,
                indexes=IndexSettings.read(os.environ, source),
                deadline=Deadline(),
                note=progress.note,
            )
        place_environment(created.path, _copy)
    # The bundle also contains both.
    lock.unlink()
    remove(source / WHEELHOUSE)
    make_readable(APP_ROOT)


@main.command()
def prove() -> None:
    """Check that the image's model predicts as its notebook did."""
    os.execv(RUN, [RUN, "prove"])  # noqa: S606 - no shell here


@contextmanager
def _as_owner_of(folder: Path) -> Iterator[None]:
    """Act as the owner of a folder, who could not change files left there by root."""
    owner, root = folder.stat().st_uid, os.geteuid()
    os.setresuid(owner, owner, root)
    try:
        yield
    finally:
        os.setresuid(root, root, root)


def _copy(entry: Path, target: Path) -> None:
    """Copy a file, a link or a folder unchanged."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.copytree(entry, target, symlinks=True)
    else:
        shutil.copy2(entry, target, follow_symlinks=False)


if __name__ == "__main__":
    main()
