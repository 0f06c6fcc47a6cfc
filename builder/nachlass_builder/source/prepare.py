"""The start of every command: locating the source and reading its settings."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from nachlass_builder.bundle.cached import BUNDLES
from nachlass_builder.bundle.layout import bundle_at
from nachlass_builder.foundation.credentials import never_show
from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import Settings, read_environment_file
from nachlass_builder.source.parameters import secrets_of_build
from nachlass_builder.source.source import WORK_FOLDER, Source, is_git_url, locate_source
from nachlass_builder.source.source_time import source_time


@dataclass(frozen=True)
class Request:
    """The request on the command line.

    Settings are read from `environ`; `assignments` (`-e`) override them. In an image,
    `unpack_into` is a folder for missing system packages.
    """

    source: str
    environ: Mapping[str, str] = field(repr=False)
    output: Path | None = None
    context_dir: str | None = None
    assignments: Mapping[str, str] = field(default_factory=dict)
    force: bool = False
    locked: bool = False
    compare: bool = False
    unpack_into: Path | None = None


@dataclass(frozen=True)
class Prepared:
    """A located source with its settings: the starting point of every command."""

    source: Source
    settings: Settings
    environ: Mapping[str, str] = field(repr=False)
    deadline: Deadline
    unpack_into: Path | None = None

    @cached_property
    def time(self) -> datetime:
        """The time of the source; finding it queries git or every file."""
        return source_time(self.source, self.environ, self.deadline)

    @property
    def model_name(self) -> str:
        """The name of the model, in lower case with hyphens."""
        name = self.settings.model_name or self.source.root.name
        return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"


@contextmanager
def prepared_source(request: Request, progress: Progress) -> Iterator[Prepared]:
    """Find the source and read its settings; a clone of a git URL exists until the end."""
    if not is_git_url(request.source):
        yield _prepare(request, Path())
        return
    with TemporaryDirectory(prefix="nachlass-") as clones:
        with progress.step("fetching the source"):
            prepared = _prepare(request, Path(clones))
        yield prepared


def _prepare(request: Request, clones: Path) -> Prepared:
    """Find the source and read its settings; a git URL is cloned below `clones`."""
    environ = request.environ
    deadline = Deadline.after(Settings.from_environ(environ, request.assignments).build_timeout_s)
    source = locate_source(request.source, request.context_dir, clones, environ, deadline)
    if bundle_at(source.root):
        raise SourceError(
            f"{source.root} is a bundle, not a source",
            remedy="name the folder, the notebook or the git URL that it was built from",
        )
    parameters = {**read_environment_file(source.root), **request.assignments}
    settings = Settings.from_environ(environ, parameters)
    if settings.build_timeout_s != deadline.limit_s:
        deadline = Deadline.after(settings.build_timeout_s)
    for forms in secrets_of_build(settings, environ).values():
        never_show(forms)
    source = replace(source, shipped=settings.shipped)
    return Prepared(source, settings, environ, deadline, request.unpack_into)


def default_bundle(source: Source, cache: Path) -> Path:
    """Return `.nachlass/bundle` in the source, or a cache folder if that is not writable."""
    if not source.temporary:
        folder = source.root / WORK_FOLDER
        try:
            folder.mkdir(exist_ok=True)
            if os.access(folder, os.W_OK):
                (folder / ".gitignore").write_text("*\n", encoding="utf-8")
                return folder / "bundle"
        except OSError:
            pass
    keyed = source.origin or str(source.root)
    return cache / BUNDLES / hashlib.sha256(os.fsencode(keyed)).hexdigest()[:16] / "bundle"
