"""Checks that the package indexes answer: uv asks them, with the settings of a build."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from nachlass_builder.doctor.check import Check, error, ok, userinfo_of, warning, without_userinfo
from nachlass_builder.foundation.credentials import public_url
from nachlass_builder.foundation.errors import NachlassError, RequirementsError, TimeLimitError
from nachlass_builder.foundation.process import Completed, Deadline
from nachlass_builder.packages.pip_configuration import configuration_files
from nachlass_builder.packages.pip_settings import INDEX_VARIABLES, PYPI, IndexSettings
from nachlass_builder.packages.uv_program import DENIED, run_uv, uv_environment

LIMIT_S = 5.0
PROBE_PACKAGE = "pip"
"""A package that most indexes have; an index without it responds, too."""
NO_RETRIES = {"UV_HTTP_TIMEOUT": "4", "UV_HTTP_CONNECT_TIMEOUT": "4", "UV_HTTP_RETRIES": "0"}
UNSET_VARIABLES = {
    *(*INDEX_VARIABLES, "UV_FIND_LINKS", "UV_NO_INDEX"),
    *("UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT", "UV_EXCLUDE_NEWER"),
}
"""Variables that name other places or restrict versions."""
NOT_FOUND = f"{PROBE_PACKAGE} was not found in"
TRUE_VALUES = ("1", "true", "yes", "on")


@dataclass(frozen=True)
class _Place:
    """An index or a page of links; `value` is uv's, with credentials."""

    value: str
    is_index: bool

    @property
    def url(self) -> str:
        """The address without the name that uv allows before it."""
        return re.sub(r"^[\w.-]+=", "", self.value)

    @property
    def folder(self) -> Path | None:
        """The folder, if the place is on this machine."""
        if self.url.startswith("file:"):
            return Path(unquote(urlsplit(self.url).path))
        return None if "://" in self.url else Path(self.url)


def check_indexes(indexes: IndexSettings) -> Iterator[Check]:
    """Check all indexes and pages of links concurrently."""
    yield from _settings(indexes)
    places = list(_places(indexes))
    if not places:
        yield ok("index", "no index is used")
        return
    with ThreadPoolExecutor(len(places)) as threads:
        yield from threads.map(lambda place: _check(place, indexes), places)


def _settings(indexes: IndexSettings) -> Iterator[Check]:
    """Name pip's configuration files, and their settings without effect."""
    files = [str(path) for path in configuration_files(indexes.environ)]
    if files:
        yield ok("pip settings", ", ".join(files))
    if indexes.unsupported:
        names = ", ".join(indexes.unsupported)
        yield warning("pip settings", f"settings without effect: {names}", "uv has no such setting")
    for link in indexes.missing_links:
        message = f"find-links: {without_userinfo(public_url(link))} does not exist"
        yield warning("pip settings", message, "create it, or remove the setting")


def userinfos(indexes: IndexSettings) -> Iterator[str]:
    """List the credentials of all places, as written: uv may quote an invalid URL."""
    for place in _places(indexes):
        if userinfo := userinfo_of(place.url):
            yield userinfo


def _places(indexes: IndexSettings) -> Iterator[_Place]:
    """List the places that uv uses, in its order."""
    environ = uv_environment(indexes)
    switches = (environ.get("UV_NO_INDEX", ""), environ.get("UV_OFFLINE", ""))
    if not indexes.no_index and not any(word.lower() in TRUE_VALUES for word in switches):
        more = f"{environ.get('UV_INDEX', '')} {environ.get('UV_EXTRA_INDEX_URL', '')}".split()
        default = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or PYPI
        for value in (*more, default):
            yield _Place(value, is_index=True)
    for link in filter(None, environ.get("UV_FIND_LINKS", "").split(",")):
        yield _Place(link, is_index=False)


def _check(place: _Place, indexes: IndexSettings) -> Check:
    """Request a package from a place."""
    name, shown = "index" if place.is_index else "links", without_userinfo(public_url(place.url))
    if place.folder is not None:
        if place.folder.exists():
            return ok(name, f"{shown} exists")
        return _unreachable(name, f"{shown} does not exist")
    try:
        completed = _query(place, indexes)
    except TimeLimitError:
        return _unreachable(name, f"{shown} does not answer (limit {LIMIT_S:g} s)")
    except (NachlassError, OSError) as failure:
        return _unreachable(name, f"{shown} cannot be asked: {failure}")
    if denied := DENIED.search(completed.stderr):
        remedy = "check user and password in PIP_INDEX_URL or ~/.netrc"
        return error(name, f"{shown} answers {denied[0]}", remedy, RequirementsError)
    if completed.status and NOT_FOUND not in completed.stderr:
        lines = completed.stderr.strip().splitlines() or ["uv has failed"]
        reason = re.sub(r"^\s*(cause|error|Caused by): *", "", lines[-1])
        return _unreachable(name, f"{shown} does not answer: {reason}")
    return ok(name, f"{shown} answers")


def _unreachable(name: str, message: str) -> Check:
    """Return the check of a place that does not respond: uv fails if any place does not."""
    remedy = "check the network, the proxy and pip's settings: pip config list"
    return error(name, message, remedy, RequirementsError)


def _query(place: _Place, indexes: IndexSettings) -> Completed:
    """Run uv with a single place and without its cache."""
    environ = {
        name: value for name, value in indexes.environ.items() if name not in UNSET_VARIABLES
    }
    environ |= (
        {"UV_DEFAULT_INDEX": place.value} if place.is_index else {"UV_FIND_LINKS": place.value}
    )
    settings = replace(
        indexes,
        index_url=None,
        extra_index_urls=(),
        find_links=(),
        no_index=not place.is_index,
        environ=environ,
    )
    words = ["pip", "compile", "--quiet", "--no-deps", "--no-cache", "--python", sys.executable]
    with TemporaryDirectory(prefix="nachlass-") as folder:
        return run_uv(
            [*words, *([] if place.is_index else ["--no-index"]), "-"],
            indexes=settings,
            deadline=Deadline.after(LIMIT_S),
            doing="asking an index",
            cwd=Path(folder),
            stdin=PROBE_PACKAGE,
            variables=NO_RETRIES,
        )
