"""What `nachlass image` runs in the builder image, stage by stage. Builder environment.

    python -m nachlass_builder.stages locks|environments|model

A stage is run again only when what it starts from has changed: `locks` and
`model` start from the source, `environments` from the locks alone, so that a
changed cell installs nothing. The locks are therefore written so that equal
ones are equal files, times included.
"""

from __future__ import annotations

import json
import os
import shutil
import sys

from nachlass_builder.build import build, lock_source
from nachlass_builder.bundle import TRAINING_LOCK, write_seed
from nachlass_builder.credentials import redact
from nachlass_builder.environment import closure, ensure_environment
from nachlass_builder.errors import NachlassError
from nachlass_builder.lock import Lock
from nachlass_builder.pip_settings import IndexSettings
from nachlass_builder.prepare import Request
from nachlass_builder.process import Deadline
from nachlass_builder.report import Report
from nachlass_builder.s2i import APP_ROOT, DESTINATION, INJECTED, give_to_group, lent, tell_sizes
from nachlass_builder.settings import Settings

SOURCE = DESTINATION / "src"
WORK = APP_ROOT / ".build"
LOCKS = WORK / "locks"
SERVING = WORK / "serving"
"""The serving environment, which the image gets as its root of applications."""
BUNDLE = APP_ROOT / "bundle"
ROOTS = "roots.json"
WHEELS = "wheels"


def main() -> None:
    """Run one stage."""
    os.environ.update({"S2I_CACHE_DIR": str(WORK / "cache"), **lent(INJECTED)})
    stages = {"locks": make_locks, "environments": make_environments, "model": make_model}
    if len(sys.argv) != 2 or sys.argv[1] not in stages:  # noqa: PLR2004
        sys.exit(f"usage: python -m nachlass_builder.stages {'|'.join(stages)}")
    try:
        stages[sys.argv[1]](Report())
    except NachlassError as error:
        sys.stderr.write(f"{redact(str(error), ())}\n")
        sys.exit(error.exit_code)


def make_locks(report: Report) -> None:
    """Lock the source's requirements; nothing is executed, nothing installed."""
    locked = lock_source(Request(str(SOURCE)), report)
    write_seed(LOCKS, locked.lock.text, locked.resolution)
    roots = LOCKS / ROOTS
    roots.write_text(json.dumps(locked.roots), encoding="utf-8")
    if (SOURCE / WHEELS).is_dir():  # the lock names its wheels, below `src`
        shutil.copytree(SOURCE / WHEELS, LOCKS / "src" / WHEELS)
    for path in (*LOCKS.rglob("*"), LOCKS):
        os.utime(path, (0, 0))


def make_environments(report: Report) -> None:
    """Make the environments that the notebook runs in and that the model is served from."""
    settings = Settings.from_environ(os.environ, {})
    lock = Lock.read(LOCKS / TRAINING_LOCK)
    roots = json.loads((LOCKS / ROOTS).read_text(encoding="utf-8"))
    indexes = IndexSettings.read(os.environ, LOCKS / "src")
    with report.step("making the training environment"):
        training = ensure_environment(
            lock,
            purpose="training",
            cache=settings.cache,
            indexes=indexes,
            deadline=Deadline(),
            note=report.note,
        )
    with report.step("making the serving environment"):
        serving = ensure_environment(
            lock.subset(closure(training.site_packages, roots)),
            purpose="serving",
            cache=settings.cache,
            indexes=indexes,
            deadline=Deadline(),
            note=report.note,
        )
    serving.path.rename(SERVING)
    serving.path.symlink_to(SERVING)


def make_model(report: Report) -> None:
    """Execute the notebook, and make the bundle, in the environments that are there."""
    shutil.copytree(LOCKS, BUNDLE)
    build(Request(str(SOURCE), BUNDLE), report)
    link = BUNDLE / "venv"
    if link.resolve() != SERVING:
        raise NachlassError(f"the bundle needs another environment than {SERVING}")
    link.unlink()
    link.symlink_to("..")
    give_to_group(BUNDLE / "src")
    tell_sizes({"the environment": SERVING, "the bundle": BUNDLE}, report)


if __name__ == "__main__":
    main()
