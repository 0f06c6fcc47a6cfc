"""The names that a cell's code binds and changes, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

DYNAMIC_CALLS = frozenset({"exec", "eval", "globals", "locals", "vars", "setattr"})
MAGIC_METHODS = frozenset({"run_line_magic", "run_cell_magic"})


def names_changed(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds, deletes, calls a method of, or assigns into."""
    names: set[str | None] = set()
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=bound, ctx=ast.Store() | ast.Del()):
                names.add(bound)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner))):
                names.add(owner)
            case ast.Subscript(value=inside, ctx=ast.Store() | ast.Del()):
                names.add(_root(inside))
            case ast.alias(name=imported, asname=asname):
                names.add(asname or imported)
    return {name for name in names if name is not None}


def names_bound(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the names that a cell's statements bind at the top level, with the statement.

    Bodies of `if`, `for`, `with` and `try` count; those of functions and classes do not.
    """
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        statement = pending.pop(0)
        match statement:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield name, statement
                continue
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                for alias in aliases:
                    yield alias.asname or alias.name.partition(".")[0], statement
                continue
        nested: Sequence[ast.stmt] = [
            child for child in _children(statement) if isinstance(child, ast.stmt)
        ]
        pending[:0] = nested
        for node in _expressions(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, statement


def _children(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the statements directly inside a compound statement, handlers included."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from ast.iter_child_nodes(child)
        else:
            yield child


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement that are not in a nested statement."""
    pending: list[ast.AST] = [
        child for child in _children(statement) if not isinstance(child, ast.stmt)
    ]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.comprehension):
            pending += [node.iter, *node.ifs]  # its target is local to it
        elif not isinstance(node, ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


def takes_one_argument(function: ast.FunctionDef) -> bool:
    """Return whether a function can be called with exactly one positional argument."""
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    takes_any = positional > 0 or arguments.vararg is not None
    return required <= 1 and takes_any and None not in arguments.kw_defaults


def binds_unseen(tree: ast.Module) -> bool:
    """Return whether a cell may bind names not in its text: `import *`, `exec`, `%run`."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                return True
            case ast.Call(func=ast.Name(id=function)) if function in DYNAMIC_CALLS:
                return True
            case ast.Call(func=ast.Attribute(attr=method), args=[ast.Constant(value=magic), *_]):
                if method in MAGIC_METHODS and magic in ("run", "load", "pylab", "store"):
                    return True
    return False


def _root(node: ast.expr) -> str | None:
    """Return the name at the root of `name[...][...]`."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
