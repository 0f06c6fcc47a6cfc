"""The files that the notebooks read, for the manifest and the next build.

The kernel observes them, see in_kernel/nachlass_kernel/reads.py. Of a credential only the path
is recorded, because a short secret can be guessed from its digest.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from nachlass_builder.bundle.manifest import Data, DataFile
from nachlass_builder.execution.hidden_code import REPORT_READS, CodeError, isolated
from nachlass_builder.execution.kernel import Kernel
from nachlass_builder.foundation.digest import digest_of_file
from nachlass_builder.foundation.progress import counted
from nachlass_builder.source.secret_files import why_secret

SECRET_FOLDERS = frozenset(
    {".ssh", ".aws", ".azure", ".gcloud", "gcloud", ".kube", ".docker", ".gnupg", ".kaggle"}
)
INJECTED_FOLDERS = ("/tmp/injected/", "/run/secrets/", "/var/run/secrets/")  # noqa: S108 - see s2i.py
"""Where secrets of the build are mounted."""
MAX_NAMED = 3
CHANGED = "has changed"
SECRET_WORD = re.compile(
    r"(?i)(^|[._-])((my)?token|password|passwd|secrets?(_?keys?)?|credentials?|api_?key)"
    r"([._-]|$)|\.env$"
)


@dataclass(frozen=True)
class FileRead:
    """The state of a file when it was first read; `written` means that a cell had written it."""

    path: str
    bytes: int
    modified_ns: int
    sha256: str | None
    reason: str | None
    written: bool


@dataclass(frozen=True)
class Reads:
    """The files that the cells of a kernel read, and the paths that they wrote."""

    files: tuple[FileRead, ...] = ()
    more: int = 0
    written: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def observed_reads(kernel: Kernel) -> Reads:
    """Return the files that the cells of this kernel read, as reads.py reports them."""
    path = kernel.folder / "reads.json"
    code = isolated(REPORT_READS.format(path=str(path)))
    try:
        kernel.run(code, doing="digesting the files that the notebook read")
        return msgspec.convert(json.loads(path.read_text(encoding="utf-8")), Reads)
    except (CodeError, OSError, ValueError) as error:
        return Reads(problems=(str(error),))


def data_of(reads: Sequence[Reads], root: Path) -> Data:
    """Return every file that was read, in the state in which the first notebook read it."""
    root = root.resolve()
    written: set[str] = set()
    files: dict[str, DataFile] = {}
    for observed in reads:
        for file in observed.files:
            made_here = file.written or file.path in written
            # Files that notebooks created and removed again are not data.
            if file.path not in files and not (made_here and not os.path.exists(file.path)):  # noqa: PTH110
                files[file.path] = _described(replace(file, written=made_here), root)
        written |= set(observed.written)
    return Data(
        files=tuple(sorted(files.values(), key=lambda file: (not file.inside, file.path))),
        more=sum(observed.more for observed in reads),
        problems=tuple(text for observed in reads for text in observed.problems),
    )


def data_notes(data: Data) -> Iterator[str]:
    """Yield the build's notes on the files that were read."""
    count = len(data.files) + data.more
    if count:
        outside = [file.path for file in data.files if not file.inside]
        few = f": {', '.join(outside)}" if 0 < len(outside) <= MAX_NAMED else ""
        also = f", {len(outside)} of them outside the source{few}" if outside else ""
        yield f"{counted(count, 'file')} read by the notebook{also}"
    if data.problems:
        yield f"the list of files that were read may be incomplete: {data.problems[0]}"


def changed_outside(data: Data) -> Iterator[tuple[str, str]]:
    """Yield the files outside the source that changed since they were read: path and change.

    A file of the same size and time counts as unchanged, as in make.
    """
    for file in data.files:
        if file.inside or file.written or file.bytes is None:
            continue
        path = Path(file.path)
        try:
            state = path.stat()
            if (state.st_size, state.st_mtime_ns) == (file.bytes, file.modified_ns):
                continue
            if state.st_size == file.bytes and file.sha256 and digest_of_file(path) == file.sha256:
                continue
        except FileNotFoundError:
            yield file.path, "is gone"
        except OSError as error:
            yield file.path, f"cannot be read: {error.strerror}"
        else:
            yield file.path, CHANGED


def _described(file: FileRead, root: Path) -> DataFile:
    """Return the manifest's entry for a file."""
    path = Path(file.path)
    inside, is_hidden = path.is_relative_to(root), is_credential(path)
    shown = path.relative_to(root) if inside else path
    return DataFile(
        # File names need not be UTF-8, but the manifest is.
        path=os.fsencode(shown).decode("utf-8", "backslashreplace"),
        inside=inside,
        written=file.written,
        bytes=None if is_hidden else file.bytes,
        modified_ns=None if is_hidden or inside else file.modified_ns,
        sha256=None if is_hidden else file.sha256,
        reason="it is a secret" if is_hidden else file.reason,
    )


def is_credential(path: Path) -> bool:
    """Return whether a file is a secret, judged by its folder and name."""
    return (
        str(path).startswith(INJECTED_FOLDERS)
        or not SECRET_FOLDERS.isdisjoint(path.parts)
        or bool(SECRET_WORD.search(path.stem))
        or why_secret(path, str(path).lstrip("/")) is not None
    )
