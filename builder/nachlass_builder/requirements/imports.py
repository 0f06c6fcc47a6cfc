"""The imports of the cells, and of the source's own modules that they reach."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nachlass_builder.foundation.errors import NotebookError, Place
from nachlass_builder.foundation.text_file import read_text
from nachlass_builder.notebook.notebook import Notebook
from nachlass_builder.requirements.own_modules import OwnModules


@dataclass(frozen=True)
class Import:
    """An imported module, including the name imported from it, and its place."""

    module: str
    place: Place

    @property
    def top(self) -> str:
        """The top-level module."""
        return self.module.partition(".")[0]


def find_imports(
    notebooks: Sequence[Notebook], root: Path, own: OwnModules, local: Iterable[str] = ()
) -> list[Import]:
    """Return every import from outside the source, at its first place.

    Imports inside `try` or `suppress` are left out, because the code works without them;
    so are cells that are skipped or may raise. `local` are folders of the source on the
    import path.
    """
    found: dict[str, Import] = {}
    for notebook in notebooks:
        folder = str(PurePosixPath(notebook.name).parent).removeprefix(".")
        path = list(dict.fromkeys([folder, *local, ""]))
        reached: list[str] = []
        for cell in notebook.cells:
            if cell.tree is None or cell.is_skipped or cell.may_raise:
                continue
            for module, line in _imports(cell.tree, ""):
                _add(Import(module, notebook.place(cell, line)), found, reached, own, path)
        for name in reached:  # grows while modules lead to others
            for module, line in _imports_of_file(root, name):
                _add(Import(module, Place(name, line=line)), found, reached, own, path)
    return list(found.values())


def _add(
    one: Import, found: dict[str, Import], reached: list[str], own: OwnModules, path: list[str]
) -> None:
    """Follow a module of the source; record any other."""
    if own.has(one.top, path):
        folders = dict.fromkeys([*path, *own.folders_with(one.top, namespaces=False)])
        reached += [name for name in own.files_of(one.module, folders) if name not in reached]
    else:
        found.setdefault(one.module, one)


def _imports_of_file(root: Path, name: str) -> Iterator[tuple[str, int]]:
    """Yield the imports of a module of the source; nothing if it cannot be read."""
    try:
        tree = ast.parse(read_text(root, name, NotebookError))
    except (NotebookError, OSError, SyntaxError, ValueError, RecursionError):
        return
    yield from _imports(tree, name)


def _imports(node: ast.AST, file: str) -> Iterator[tuple[str, int]]:
    """Yield the dotted names that code imports outside `try`, each with its line."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=aliases, lineno=line):
                yield from ((alias.name, line) for alias in aliases)
            case ast.ImportFrom(module=module, names=aliases, level=level, lineno=line):
                start = _start(file, module, level)
                for alias in aliases if start else ():
                    yield (start if alias.name == "*" else f"{start}.{alias.name}"), line
            case ast.Try() | ast.TryStar():
                for part in (*child.orelse, *child.finalbody):
                    yield from _imports(ast.Module([part], []), file)
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                for part in child.orelse:
                    yield from _imports(ast.Module([part], []), file)
            case ast.With(items=[ast.withitem(context_expr=ast.Call(func=guard))]) if (
                ast.unparse(guard).rpartition(".")[2] == "suppress"
            ):
                pass
            case ast.stmt() | ast.ExceptHandler() | ast.match_case():
                yield from _imports(child, file)


def _start(file: str, module: str | None, level: int) -> str:
    """Return the dotted name, from the source's root, that `from ... import` starts at."""
    if not level:
        return module or ""
    folders = file.split("/")[:-level]
    return ".".join([*folders, *([module] if module else [])])
