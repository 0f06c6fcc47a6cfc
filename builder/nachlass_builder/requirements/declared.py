"""The notebook's `requirements` and `serving_requirements` variables, read without running it.

Literals are followed across cells through assignment, `+=`, `append`, `extend`, `insert`
and `update`. Any other change makes the variable computed: only the first pass
(first_pass.py) knows its value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.notebook.bindings import names_changed
from nachlass_builder.notebook.notebook import Cell, Notebook
from nachlass_builder.requirements.requirement import Requirement

NAME = "requirements"
SERVING_NAME = "serving_requirements"
"""Packages needed at run time that the build cannot detect, such as plugins; same forms."""
FORMS = 'write it as [["numpy", "1.26"], ["pandas", "2.2"]], or as strings such as "numpy>=1.26"'


@dataclass
class Declared:
    """The content of `requirements`, or of another variable `name` of that form.

    If `computed_in` is not empty, the first pass has to run those cells, and `requirements`
    is meaningless.
    """

    requirements: list[Requirement] = field(default_factory=list)
    computed_in: list[Cell] = field(default_factory=list)
    place: Place | None = None
    name: str = NAME


class _ComputedError(Exception):
    """A statement whose effect is known only after it has run."""


def read_declared(notebook: Notebook, name: str = NAME) -> Declared:
    """Follow a variable through the cells of a notebook, or raise RequirementsError."""
    entries: list[tuple[Any, Place]] = []
    changing: list[Cell] = []
    computed = False
    place = None
    literals: dict[str, Any] = {}
    for cell in notebook.cells:
        for statement in cell.tree.body if cell.tree else ():
            changed = names_changed(statement)
            if name not in changed:
                _remember_literal(statement, changed, literals)
                continue
            place = notebook.place(cell, statement.lineno)
            if cell not in changing:
                changing.append(cell)
            try:
                _apply(statement, entries, literals, place)
            except _ComputedError:
                computed = True
    if computed:
        return Declared(computed_in=changing, place=place, name=name)
    found = [parse_entry(entry, where) for entry, where in entries]
    return Declared(requirements=found, place=place, name=name)


def parse_value(value: Any, place: Place) -> list[Requirement]:
    """Turn a value of `requirements`, in any supported form, into requirements."""
    return [parse_entry(entry, place) for entry in _entries(value, place)]


def parse_entry(entry: Any, place: Place) -> Requirement:
    """Turn one entry into a requirement: a PEP 508 string, a name, or a (name, version) pair."""
    match entry:
        case str(name) | [str(name)] | [str(name), None]:
            return _named(name, "", place)
        case [str(name), str() | int() | float() as version] if not isinstance(version, bool):
            return _named(name, str(version).strip(), place)
    raise RequirementsError(
        f"`requirements` contains {entry!r}: neither a requirement nor a name and a version",
        place=place,
        remedy=FORMS,
    )


def _apply(
    statement: ast.stmt,
    entries: list[tuple[Any, Place]],
    literals: Mapping[str, Any],
    place: Place,
) -> None:
    """Apply one statement's effect on `requirements` to the entries read so far."""

    def read(node: ast.expr) -> list[tuple[Any, Place]]:
        return [(entry, place) for entry in _entries(_evaluate(node, literals), place)]

    match statement:
        case (
            ast.Assign(targets=[ast.Name()], value=value)
            | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ):
            entries[:] = read(value)
        case ast.AugAssign(target=ast.Name(), op=ast.Add(), value=value):
            entries.extend(read(value))
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=method), args=args, keywords=[])):
            match method, args:
                case "append", [value]:
                    entries.append((_evaluate(value, literals), place))
                case "insert", [_, value]:
                    entries.append((_evaluate(value, literals), place))
                case (("extend" | "update"), [value]):
                    entries.extend(read(value))
                case (("sort" | "reverse" | "copy" | "items" | "keys" | "values"), _):
                    pass
                case _:
                    raise _ComputedError
        case _:
            raise _ComputedError


def _entries(value: Any, place: Place) -> list[Any]:
    """Return the entries of a list, tuple, set, dict, or string with one requirement per line."""
    match value:
        case dict():
            return [list(item) for item in value.items()]
        case str():
            lines = (line.partition(" #")[0].strip() for line in value.splitlines())
            return [line for line in lines if line and not line.startswith("#")]
        case (str(), str(version)) if re.fullmatch(r"[<>=!~ ]*\d[\w.*+!-]*", version):
            return [list(value)]
        case list() | tuple() | set() | frozenset():
            return list(value)
    raise RequirementsError(
        f"`requirements` is {value!r:.60}, not a list", place=place, remedy=FORMS
    )


def _named(name: str, version: str, place: Place) -> Requirement:
    """Make a requirement from a name and a version."""
    if re.fullmatch(r"\d+(\.\d+)*", name.strip()):
        raise RequirementsError(f"{name!r} is a version without a name", place=place, remedy=FORMS)
    return Requirement.parse(f"{name}{_specifier(version)}", place, FORMS)


def _specifier(version: str) -> str:
    """Turn a version into a specifier: `1.26` is exact, `>=1.26` stays as it is."""
    if version.lower() in ("", "*", "latest"):
        return ""
    return version if version[0] in "<>=!~" else f"=={version}"


def _evaluate(node: ast.expr, literals: Mapping[str, Any]) -> Any:
    """Return the value of a literal, of a name bound to one, or of their concatenation."""
    match node:
        case ast.Name(id=name) if name in literals:
            return literals[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            try:
                return _evaluate(left, literals) + _evaluate(right, literals)
            except TypeError:
                raise _ComputedError from None
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_evaluate(item, literals) for item in items]
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        raise _ComputedError from None


def _remember_literal(statement: ast.stmt, changed: set[str], literals: dict[str, Any]) -> None:
    """Remember `NAME = literal` for later use; forget names that change in any other way."""
    for name in changed:
        literals.pop(name, None)
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            with suppress(_ComputedError):
                literals[name] = _evaluate(value, literals)
