"""Runs uv, the program that resolves and installs.

The user's UV_* variables override pip's settings.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from uv import find_uv_bin

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import FREE_SPACE, RequirementsError, StorageError
from nachlass_builder.foundation.process import Completed, Deadline, run
from nachlass_builder.packages.pip_settings import INDEX_VARIABLES, PYPI, IndexSettings

DROPPED_VARIABLES = (
    "PYTHONHOME",
    "PYTHONPATH",
    "UV_COMPILE_BYTECODE",
    "UV_NO_INSTALLER_METADATA",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_REQUIRE_HASHES",
    "UV_SYSTEM_PYTHON",
    "UV_VENV_SEED",
    "VIRTUAL_ENV",
)
"""Variables that would change what uv does here."""

IGNORED_LINES = (
    "warning: The `--pylock`",
    "Using Python ",
    "Resolved ",
    "warning: `VIRTUAL_ENV",
)
"""The beginnings of uv's lines that mean nothing to a user."""

OTHER_PLATFORM = re.compile(r"not supported by the lockfile|incompatible with the `pylock.toml`")
"""uv's message for a lock of another Python or platform."""

HASH_MISMATCH = re.compile(r"Hash mismatch for `([^`]+)`")
"""uv's message for a file whose hash differs from the locked one."""

DENIED = re.compile(r"\b(401 Unauthorized|403 Forbidden)\b")
"""HTTP statuses for missing credentials, which uv quotes."""

DISK_FULL = re.compile(r"\(os error (?:28|122)\)")
"""uv's message for a full disk or an exhausted quota."""

NOT_WRITABLE = re.compile(r"^.*[`' ]/[^`'\n]+.*\(os error (?:30|13)\)", re.MULTILINE)
"""uv's message for a path that is not writable; a refused connection has no path."""

MAX_QUOTED_LINES = 30
"""The number of uv's lines that a message quotes."""

WRITABLE_FOLDER_REMEDY = (
    "make the folder writable, or set S2I_CACHE_DIR and UV_CACHE_DIR to other folders"
)

UNSOLVABLE = 1
"""uv's exit status for unsolvable requirements; 2 means any other failure."""


def uv_program() -> str:
    """Return the path of uv; raises RequirementsError."""
    try:
        return find_uv_bin()
    except FileNotFoundError as error:
        raise RequirementsError(
            "uv is not installed", remedy="install nachlass again, which requires it"
        ) from error


def run_uv(
    arguments: Sequence[str | os.PathLike[str]],
    *,
    indexes: IndexSettings,
    deadline: Deadline,
    doing: str,
    cwd: Path,
    stdin: str | None = None,
    variables: dict[str, str] | None = None,
) -> Completed:
    """Run uv with the user's settings; remove credentials from its standard error.

    `variables` override the user's. Raises RequirementsError without uv, and StorageError if
    uv fails for lack of disk space or write permission.
    """
    environment = uv_environment(indexes)
    environment |= {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    environment |= {"UV_PROJECT": str(_project(indexes) or cwd)} | (variables or {})
    completed = run(
        [uv_program(), *arguments, "--color", "never"],
        doing=doing,
        deadline=deadline,
        cwd=cwd,
        environment=environment,
        stdin=stdin,
    )
    redacted = Completed(
        completed.status, completed.stdout, redact(completed.stderr, indexes.secrets)
    )
    for sign, problem, remedy in (
        (DISK_FULL, "the disk is full", FREE_SPACE),
        (NOT_WRITABLE, "a folder cannot be written", WRITABLE_FOLDER_REMEDY),
    ):
        if completed.status and sign.search(redacted.stderr):
            raise StorageError(f"{doing}: {problem}", details=uv_message(redacted), remedy=remedy)
    return redacted


def uv_environment(indexes: IndexSettings) -> dict[str, str]:
    """Return the environment for uv, with pip's settings translated to uv's variables.

    URLs are passed here and not on the command line, where `ps` shows them.
    """
    base = indexes.environ
    chosen = {
        name: value
        for name, value in base.items()
        if not name.startswith("PIP_") and name not in DROPPED_VARIABLES
    }
    for names, value in _translated(indexes):
        if value and not any(name in base for name in names):
            chosen[names[0]] = value
    links = [link for link in base.get("UV_FIND_LINKS", "").split(",") if link]
    links += [link for link in indexes.find_links if link not in links]
    chosen |= {"UV_FIND_LINKS": ",".join(links)} if links else {}
    if indexes.no_index:
        for name in INDEX_VARIABLES:
            chosen.pop(name, None)
    if "UV_CACHE_DIR" not in base and "S2I_CACHE_DIR" in base and not _can_write_cache(base):
        chosen["UV_CACHE_DIR"] = str(Path(base["S2I_CACHE_DIR"]).absolute() / "uv")
    return chosen


def uv_cache_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of uv's own cache; None when uv cannot tell."""
    completed = run_uv(
        ["cache", "dir"],
        indexes=IndexSettings(environ=dict(environ)),
        deadline=Deadline(),
        doing="asking uv for its cache",
        cwd=Path.cwd(),
    )
    folder = completed.stdout.strip()
    return Path(folder) if folder and not completed.status else None


def _can_write_cache(environ: Mapping[str, str]) -> bool:
    """Return whether uv's own cache, below the user's home, is writable."""
    home = environ.get("XDG_CACHE_HOME") or environ.get("HOME")
    if not home:
        return False
    folder = Path(home) if environ.get("XDG_CACHE_HOME") else Path(home) / ".cache"
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def uv_arguments(indexes: IndexSettings) -> list[str]:
    """Return the settings that uv accepts only as arguments."""
    return ["--no-index"] if indexes.no_index else []


def uv_message(completed: Completed) -> str:
    """Return uv's messages, shortened to fit an error message."""
    lines = [line for line in completed.stderr.splitlines() if not line.startswith(IGNORED_LINES)]
    if len(lines) > MAX_QUOTED_LINES:
        half = MAX_QUOTED_LINES // 2
        lines = [*lines[:half], f"... ({len(lines) - 2 * half} lines) ...", *lines[-half:]]
    return "\n".join(lines).strip()


def _translated(indexes: IndexSettings) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Yield uv variables and values; any of the names that the user has set takes precedence."""
    # Of equal versions uv takes the first index's, and its default index comes last. In this
    # order index-url comes first, and a lock names it rather than an extra index.
    first, *extra = [indexes.index_url or PYPI, *indexes.extra_index_urls]
    variables = INDEX_VARIABLES if extra else INDEX_VARIABLES[:2]
    yield ("UV_DEFAULT_INDEX", *variables), extra[-1] if extra else indexes.index_url
    yield ("UV_INDEX", *variables), " ".join([first, *extra[:-1]]) if extra else None
    # With one index this would only hide that the index rejects the credentials.
    yield ("UV_INDEX_STRATEGY",), "unsafe-best-match" if extra else None
    yield ("UV_SYSTEM_CERTS", "UV_NATIVE_TLS"), "1"
    yield ("SSL_CERT_FILE",), indexes.cert
    yield ("SSL_CLIENT_CERT",), indexes.client_cert
    yield ("UV_INSECURE_HOST",), " ".join(indexes.trusted_hosts)
    yield ("UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT"), indexes.timeout_s
    yield ("UV_HTTP_RETRIES",), indexes.retries
    yield ("UV_PRERELEASE",), "allow" if indexes.pre else None
    yield ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), indexes.proxy
    yield ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), indexes.proxy


def _project(indexes: IndexSettings) -> Path | None:
    """Return the source if it configures uv, whose indexes and constraints then apply here."""
    if indexes.root and any(
        (indexes.root / name).is_file() for name in ("uv.toml", "pyproject.toml")
    ):
        return indexes.root
    return None
