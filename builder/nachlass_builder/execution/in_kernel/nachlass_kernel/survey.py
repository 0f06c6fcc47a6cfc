"""Searches the contents of a pickle for absolute paths and large globals. Notebook's kernel.

The search covers only values that are pickled by value: the notebook's functions and classes,
and everything they reach through globals, closures, defaults and attributes. For instances of
the repository's modules these are the attributes.
"""

from __future__ import annotations

import dis
import functools
import linecache
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, TypedDict

import cloudpickle

from nachlass_kernel.cells import cell_files
from nachlass_kernel.culprit import parts_of_function
from nachlass_kernel.exception import Frame

LARGE = 100_000_000
"""Size in bytes above which a pickle's largest global is reported."""
MAX_DEPTH = 6
MAX_ENTRIES = 100
"""Entries of a container that are searched for paths."""
MAX_PATHS = 20
MAX_PATH_LENGTH = 1000

_HOME = re.compile(r"/(?:home|Users)/[^/\s]+/(?P<rest>.+)|/root/(?P<of_root>.+)", re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:[\\/](?!/)[^\\/:*?\"<>|\n]+[\\/][^\n]")
_FORMATTED = ("FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC")
_SYSTEM = re.compile(r"/(dev|proc|sys|usr|bin|sbin|lib|lib64|etc|run)(/|$)")


@dataclass(frozen=True)
class Reached:
    """A value, its name, the function that uses it, and the depth at which it was found."""

    value: Any
    name: str
    function: str
    depth: int = 0

    def part(self, value: Any, name: str | None = None, function: str | None = None) -> Reached:
        """Return a part of this value."""
        return Reached(value, name or self.name, function or self.function, self.depth + 1)


class AbsolutePath(TypedDict):
    """A path: the code that holds it, or the name of the variable that does."""

    path: str
    frame: Frame | None
    name: str | None


class LargestVariable(TypedDict):
    """The largest variable, and the function that uses it."""

    name: str
    function: str
    bytes: int


class Survey(TypedDict):
    """Absolute paths, and the largest variable of a large pickle."""

    paths: list[AbsolutePath]
    largest: LargestVariable | None


def survey(functions: Mapping[str, Any], root: Path, size: int) -> Survey:
    """Search functions that were pickled to `size` bytes."""
    paths: list[AbsolutePath] = []
    leaves: list[Reached] = []
    for one, parts in _reached(functions, root):
        paths += _paths(one, root)
        if not parts:
            leaves.append(one)
    first = {found["path"]: found for found in reversed(paths)}
    return {
        "paths": list(reversed(first.values()))[:MAX_PATHS],
        "largest": _largest(leaves) if size > LARGE else None,
    }


def _reached(functions: Mapping[str, Any], root: Path) -> Iterator[tuple[Reached, list[Reached]]]:
    """Yield everything that functions reach by name, each value once, with its parts."""
    seen: set[int] = set()
    waiting = deque(
        Reached(function, name, name) for name, function in functions.items() if function
    )
    while waiting:
        one = waiting.popleft()
        if id(one.value) in seen or one.depth > MAX_DEPTH:
            continue
        seen.add(id(one.value))
        parts = _parts(one, root)
        yield one, parts
        waiting.extend(parts)


def _parts(one: Reached, root: Path) -> list[Reached]:
    """Return the parts of a function, class or instance of the notebook or repository."""
    match one.value:
        case functools._lru_cache_wrapper():
            return [one.part(one.value.__wrapped__)]
        case functools.partial():
            return [one.part(x) for x in (one.value.func, one.value.args, one.value.keywords)]
        case MethodType():
            return [one.part(one.value.__self__), one.part(one.value.__func__)]
        case FunctionType() if one.value.__module__ == "__main__":
            return [
                one.part(part, name or _quoted(step), one.value.__name__)
                for step, name, part in parts_of_function(one.value)
            ]
        case type() if one.value.__module__ == "__main__":
            parts = vars(one.value).values()
            return [one.part(getattr(x, "fget", None) or getattr(x, "__func__", x)) for x in parts]
        case value if type(value).__module__ == "__main__":
            return [one.part(type(value)), *map(one.part, _attributes(value))]
        case value if _is_of_repository(type(value).__module__, root):
            return [one.part(attribute) for attribute in _attributes(value)]
    return []


def _attributes(value: object) -> list[object]:
    """Return the values of an instance's attributes."""
    return list(getattr(value, "__dict__", {}).values())


def _is_of_repository(module: str, root: Path) -> bool:
    """Return whether a module is a file of the source rather than an installed one."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if not file or "site-packages" in Path(file).parts:
        return False
    return Path(file).is_relative_to(root)


def _quoted(step: str) -> str | None:
    """Return the name in a step such as "variable `train`"."""
    return step.split("`")[1] if "`" in step else None


def _paths(one: Reached, root: Path) -> Iterator[AbsolutePath]:
    """Yield the absolute paths: in code with their line, in variables with their name."""
    if isinstance(one.value, FunctionType) and one.value.__module__ == "__main__":
        for text, frame in _constants(one.value.__code__):
            if _is_of_machine(text, root):
                yield AbsolutePath(path=text, frame=frame, name=None)
    for text in _texts(one.value):
        if _is_of_machine(text, root):
            yield AbsolutePath(path=text, frame=None, name=one.name)


def _constants(code: CodeType) -> Iterator[tuple[str, Frame]]:
    """Yield the strings in code, including nested code, each with its frame."""
    file, count = code.co_filename, cell_files().get(code.co_filename)
    steps = list(dis.get_instructions(code))
    for before, step, after in zip([None, *steps], steps, [*steps[1:], None], strict=False):
        if not step.opname.endswith("_CONST") or _is_appended(before, after):
            continue
        for text in _texts(step.argval):
            line = step.positions.lineno if step.positions else None
            source = linecache.getline(file, line).strip() if line else ""
            name = code.co_name
            yield text, Frame(file=file, line=line, function=name, text=source or None, count=count)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _constants(constant)


def _is_appended(before: dis.Instruction | None, after: dis.Instruction | None) -> bool:
    """Return whether a constant continues a string: in an f-string, or after a `+`."""
    if before and before.opname in _FORMATTED:
        return True
    return bool(after and after.opname == "BINARY_OP" and after.argrepr.startswith("+"))


def _texts(value: object) -> Iterator[str]:
    """Yield the strings and paths in a value: itself, or a container's entries."""
    match value:
        case str() | PurePath():
            yield str(value)
        case dict():
            yield from _entries(value.values())
        case list() | tuple() | set() | frozenset():
            yield from _entries(value)


def _entries(values: Iterable[object]) -> Iterator[str]:
    """Yield the strings and paths among the first entries."""
    for value in islice(values, MAX_ENTRIES):
        if isinstance(value, str | PurePath):
            yield str(value)


def _is_of_machine(text: str, root: Path) -> bool:
    """Return whether a string is a path outside the source: in a home, or an existing one."""
    if len(text) > MAX_PATH_LENGTH or text.startswith("//"):
        return False
    if not (text.startswith("/") or re.match(r"[A-Za-z]:[\\/]", text)) or "\n" in text:
        return False
    path = Path(text)
    if path.is_relative_to(root) or _SYSTEM.match(text):
        return False
    if _DRIVE.match(text) or _is_data_of_home(text):
        return True
    with suppress(OSError, ValueError):
        return len(path.parts) > 2 and path.exists()  # noqa: PLR2004 - `/` alone is a separator
    return False


def _is_data_of_home(text: str) -> bool:
    """Return whether a string is a path in a home, and likely data rather than a URL path."""
    match = _HOME.match(text)
    if not match:
        return False
    rest = match["rest"] or match["of_root"]
    return bool(PurePath(rest).suffix or len(PurePath(rest).parts) > 1 or rest.endswith("/"))


def _largest(leaves: list[Reached]) -> LargestVariable | None:
    """Return the largest variable."""
    weights = [
        (_weight(one.value), index)
        for index, one in enumerate(leaves)
        if not isinstance(one.value, FunctionType | type | ModuleType)
    ]
    if not weights:
        return None
    size, index = max(weights)
    return LargestVariable(name=leaves[index].name, function=leaves[index].function, bytes=size)


class _Counter:
    """A file that only counts bytes."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: Any) -> int:
        """Count bytes."""
        length = memoryview(data).nbytes
        self.size += length
        return length


def _weight(value: object) -> int:
    """Return the size of a value's pickle without storing it; 0 if it cannot be pickled alone."""
    counter = _Counter()

    def count(buffer: Any) -> None:
        counter.size += buffer.raw().nbytes

    try:
        cloudpickle.Pickler(counter, protocol=5, buffer_callback=count).dump(value)
    except Exception:  # noqa: BLE001 - it could be pickled together with the others
        return 0
    return counter.size
