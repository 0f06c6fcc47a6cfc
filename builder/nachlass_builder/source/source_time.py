"""The time of a source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from nachlass_builder.foundation.git import git
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.source.source import Source
from nachlass_builder.source.source_files import files_of

_SECONDS = re.compile(r"\d{1,11}", re.ASCII)
"""Seconds until the year 5138; longer numbers are not calendar times."""
EPOCH = "SOURCE_DATE_EPOCH"
"""Seconds since 1970, see https://reproducible-builds.org/specs/source-date-epoch/."""


def source_time(source: Source, environ: Mapping[str, str], deadline: Deadline) -> datetime:
    """Return the time of the commit, in UTC.

    Without git, or if files differ from the commit: SOURCE_DATE_EPOCH, or the time of the
    newest file.
    """
    text = environ.get(EPOCH, "").strip()
    if source.dirty is False:
        text = git(["log", "-1", "--format=%ct"], source.root, deadline).stdout.strip()
    seconds = int(text) if _SECONDS.fullmatch(text) else _newest(source, deadline)
    return datetime.fromtimestamp(seconds, UTC)


def _newest(source: Source, deadline: Deadline) -> int:
    """Return the latest modification time of the source's files, in seconds since 1970."""
    names = files_of(source, deadline).names
    return max((int((source.root / name).lstat().st_mtime) for name in names), default=0)
