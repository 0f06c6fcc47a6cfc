"""Finds the references of a pickled model without running it.

The pickle is read by an unpickler that imports and calls nothing: every class and function is
replaced by a stand-in. Only code objects are created, which runs nothing either. cloudpickle
pickles the functions and classes of a notebook as calls that create them, so all of them appear,
whether reached through a closure, a global or a container. Loading the pickle in the training
environment would show the same functions, but takes seconds for the imports alone, and would
need a search through arbitrary objects. The imports of a function are read from its bytecode;
modules of the repository, and the modules that they import, are compiled and read in the same
way.
"""

from __future__ import annotations

import dis
import json
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from importlib.util import resolve_name
from itertools import islice
from pathlib import Path
from types import CodeType
from typing import IO, Any

from nachlass_builder.packages.provided import Provided

MAX_ENTRIES = 1000
"""Entries of a container to search for strings: module names appear in short containers."""
MAX_CONTAINERS = 100_000
"""Containers to search: a pickle with more of them contains data."""
MAX_DEPTH = 20
MAX_NAME_LENGTH = 100


class References:
    """A model's references: the distributions it imports, and those `named` only in strings.

    Modules of the repository are found in `folders`.
    """

    def __init__(self, provided: Provided, folders: Sequence[Path]) -> None:
        self.imports: set[str] = set()
        self.named: set[str] = set()
        self._provided = provided
        self._folders = folders
        self._read: set[Path] = set()
        self._searched: dict[int, object] = {}

    def read_bundle(self, bundle: Path) -> None:
        """Read the model of a bundle; raise any exception that unpickling raises."""
        stages = bundle / "stages.json"
        files = ["model.pickle"]
        if stages.is_file():
            self.add("sklearn.pipeline")  # the service chains stages with it
            files = [file for _notebook, file in json.loads(stages.read_text(encoding="utf-8"))]
        for name in files:
            with (bundle / name).open("rb") as file:
                _Reader(file, self).load()

    def add(self, module: str, names: Sequence[str] = ()) -> None:
        """Record an import of a module, and of names from it, which may be modules, too."""
        modules = [module, *(f"{module}.{name}" for name in names)]
        owners = set().union(*map(self._provided.owners, modules)) or self._provided.below(module)
        self.imports |= owners
        if not owners:  # as in the service, installed modules come first
            for name in modules:
                self._read_local(name)

    def add_strings(self, value: object, depth: int = MAX_DEPTH) -> None:
        """Record the strings in a value that name an installed distribution."""
        match value:
            case str() if len(value) <= MAX_NAME_LENGTH:
                self.named |= self._provided.meant_by(value)
            case tuple() | list() | set() | frozenset() | dict() if depth:
                if id(value) in self._searched or len(self._searched) > MAX_CONTAINERS:
                    return
                self._searched[id(value)] = value
                entries = value.items() if isinstance(value, dict) else value
                for entry in islice(entries, MAX_ENTRIES):
                    self.add_strings(entry, depth - 1)

    def add_code(self, code: CodeType, package: str = "") -> None:
        """Record the imports and strings of a code object and its nested ones."""
        imports = list(_imports(code))
        all_names = [names for _module, names, _level in imports]
        self.add_strings([entry for entry in code.co_consts if entry not in all_names])
        for module, names, level in imports:
            with suppress(ImportError):  # beyond the top-level package: the import fails as well
                self.add(resolve_name("." * level + module, package) if level else module, names)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self.add_code(constant, package)

    def _read_local(self, module: str) -> None:
        """Read a module of the repository, and its parent packages."""
        parts = module.split(".")
        for length in range(1, len(parts) + 1):
            for folder in self._folders:
                path = folder.joinpath(*parts[:length])
                package = ".".join(parts[:length])
                self._read_file(path / "__init__.py", package)
                self._read_file(path.with_suffix(".py"), ".".join(parts[: length - 1]))

    def _read_file(self, path: Path, package: str) -> None:
        """Read a file of the repository, once."""
        if path in self._read or not path.is_file():
            return
        self._read.add(path)
        try:
            code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError):  # importing it fails as well
            return
        self.add_code(code, package)


class _Reader(pickle.Unpickler):
    """Unpickles to stand-ins, and records references."""

    def __init__(self, file: IO[bytes], found: References) -> None:
        super().__init__(file)
        self._found = found
        self._stand_in = _stand_in(found.add_strings)

    def find_class(self, module: str, name: str) -> Any:
        """Record the module, and return a stand-in for the name."""
        self._found.add(module)
        if module.startswith("cloudpickle"):
            match name:
                case "subimport":
                    return self._import
                case "_builtin_type":
                    return self._builtin_type
        return self._stand_in

    def persistent_load(self, _pid: object) -> Any:
        """Return a stand-in for a persistent object."""
        return self._stand_in

    def _import(self, name: str) -> Any:
        self._found.add(name)
        return self._stand_in

    def _builtin_type(self, name: str) -> Any:
        return self._code if name == "CodeType" else self._stand_in

    def _code(self, *arguments: Any) -> Any:
        self._found.add_code(CodeType(*arguments))
        return self._stand_in


def _stand_in(note: Callable[[object], None]) -> Any:
    """Return a class that is its own instance in every operation and passes arguments to `note`.

    It is a class because a pickle instantiates only classes, some of which the pickle itself
    creates.
    """

    class Meta(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            note(args)
            note(kwargs)
            return cls

        def __setitem__(cls, key: Any, value: Any) -> None:
            note((key, value))

    class StandIn(metaclass=Meta):
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            note(args)
            note(kwargs)
            return cls

        @classmethod
        def __setstate__(cls, state: Any) -> None:
            note(state)

        append = extend = add = __setstate__

    return StandIn


def _imports(code: CodeType) -> Iterator[tuple[str, Sequence[str], int]]:
    """Yield the imports in a code object: the module, the names from it, the level."""
    steps: Iterable[dis.Instruction] = dis.get_instructions(code)
    level: Any = 0
    value: Any = None
    for step in steps:
        match step.opname:
            case "EXTENDED_ARG":
                continue
            case "IMPORT_NAME":
                names = value if isinstance(value, tuple) else ()
                yield step.argval, names, level if isinstance(level, int) else 0
        # An import is preceded by its level and the names, as constants.
        level, value = value, step.argval
