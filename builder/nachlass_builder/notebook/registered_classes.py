"""Classes of a notebook that other code may register when they are created.

Unpickling recreates a notebook's class: without its decorator, and by calling its metaclass
and bases again. A registry (JAX's of pytrees, Equinox's of modules) then does not know the
new class, or rejects it as a duplicate.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nachlass_builder.foundation.errors import Place
from nachlass_builder.notebook.notebook import Notebook


@dataclass(frozen=True)
class RegisteredClass:
    """A class at the top level of a cell, and the code that may register it."""

    name: str
    place: Place
    by: str


def registered_classes(notebook: Notebook) -> Iterator[RegisteredClass]:
    """Yield classes with a decorator, metaclass or base from neither a cell nor Python itself."""
    modules = _imported(notebook)
    for cell in notebook.cells:
        for node in cell.tree.body if cell.tree else ():
            if isinstance(node, ast.ClassDef) and (by := _registrar(node, modules)):
                place = notebook.place(cell, node.lineno)
                yield RegisteredClass(node.name, place, ast.unparse(by))


def _registrar(node: ast.ClassDef, modules: Mapping[str, str]) -> ast.expr | None:
    """Return what may register a class: a metaclass, decorator or base of a library."""
    metaclasses = [word.value for word in node.keywords if word.arg == "metaclass"]
    for metaclass in metaclasses:
        if _module(metaclass, modules) not in sys.stdlib_module_names:
            return metaclass
    for part in (*node.decorator_list, *node.bases):
        # Also the arguments of a decorator: `partial(jax.tree_util.register_dataclass, ...)`.
        candidates = [part, *part.args] if isinstance(part, ast.Call) else [part]
        found = {_module(one, modules) for one in candidates} - {None}
        if found - sys.stdlib_module_names:
            return part
    return None


def _module(node: ast.expr, modules: Mapping[str, str]) -> str | None:
    """Return the top-level module that an expression's name was imported from."""
    while True:
        match node:
            case ast.Attribute(value=inner) | ast.Call(func=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.Name(id=name):
                return modules.get(name)
            case _:
                return None


def _imported(notebook: Notebook) -> dict[str, str]:
    """Return the top-level module behind each name that a cell imports."""
    modules = {}
    for cell in notebook.cells:
        for node in ast.walk(cell.tree) if cell.tree else ():
            match node:
                case ast.Import(names=aliases):
                    for alias in aliases:
                        top = alias.name.partition(".")[0]
                        modules[alias.asname or top] = top
                case ast.ImportFrom(module=str(module), names=aliases):
                    for alias in aliases:
                        modules[alias.asname or alias.name] = module.partition(".")[0]
    return modules
