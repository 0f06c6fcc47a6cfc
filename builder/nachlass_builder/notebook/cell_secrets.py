"""Finds secrets in the text of cells and modules.

A secret is text of a well-known form (secret_forms.py), or a literal assigned to a name such
as `API_KEY` that is not a word or placeholder.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nachlass_builder.foundation.errors import Place
from nachlass_builder.foundation.secret_forms import PLACEHOLDER, WORDS, forms_in, is_secret_name
from nachlass_builder.notebook.notebook import Notebook
from nachlass_builder.source.secret_files import is_read_by_builds, secrets_in_text

_PATH = re.compile(
    r"(?:~|\.{1,2})/|/(?:[a-z]{2,}|Users)/|[A-Za-z]:[\\/]|[\w./-]+\.(?:txt|json|[ct]sv|ya?ml|toml"
    r"|ini|env|pem|key|crt|cfg|conf|py|ipynb|parquet|pkl|pickle|zip|gz|db|npy|npz|h5|pt|bin|xml)$"
)
_PREFIXED = re.compile(r"(?:sk|pk|rk|gh[a-z]|hf|key|tok)[-_][\w-]{12,}$")
_ASSIGNED = re.compile(r"^\s*(?:export\s+|set\s+)?([A-Za-z_]\w*)=[\"']?([^\s\"']+)")
_CONNECTION = re.compile(r"(?i)(?:^|[;\s])(password|pwd)=([^;\s'\"]+)")
MIN_LENGTHS = {"word": 6, "token": 16, "other": 12}
"""Minimum length of a literal in characters, by kind of name."""
MAX_SECRET_LENGTH = 500
"""Maximum length of a secret literal in characters; longer ones are data."""
MAX_MODULE_BYTES = 2**20
NAME_VALUE_FUNCTIONS = ("setdefault", "get", "getenv", "putenv", "setenv", "__setitem__")
"""Functions that take a name and its value or default."""
REMEDY = (
    ", and it will be in the copied source, in the executed notebook (if in a cell) and in every "
    "image: read it from os.environ or from a file outside the source, and revoke this one"
)


def secrets_of_notebook(notebook: Notebook) -> Iterator[str]:
    """Warn of secrets in code cells and in the cells between them."""
    yield from _with_remedy(_found_in_notebook(notebook))


def _found_in_notebook(notebook: Notebook) -> Iterator[str]:
    """Yield the places of secrets in a notebook, and what they look like."""
    for cell in notebook.cells:
        for line, kind in _secrets(cell.source, cell.tree):
            yield f"{notebook.place(cell, line)}: {kind}"
    for index, node in enumerate(notebook.node.cells, start=1):
        if node.cell_type != "code":
            for line, kind in forms_in(node.source):
                place = f"{notebook.name}, {node.cell_type} cell (number {index} of all cells)"
                yield f"{place}, line {line}: this looks like {kind}"


def secrets_of_modules(root: Path, files: Sequence[str]) -> Iterator[str]:
    """Warn of secrets in Python files, other notebooks, and other files that a build reads."""
    yield from _with_remedy(_found_in_files(root, files))


def _found_in_files(root: Path, files: Sequence[str]) -> Iterator[str]:
    """Yield the places of secrets in copied files, and what they look like."""
    for name in files:
        path = root / name
        if not name.endswith(".py"):
            if is_read_by_builds(name):
                for line, kind in secrets_in_text(path):
                    yield f"{Place(name, line=line)}: this looks like {kind}"
            continue
        if not path.is_file() or path.stat().st_size > MAX_MODULE_BYTES:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            tree = None
        for line, kind in _secrets(text, tree):
            yield f"{Place(name, line=line)}: {kind}"


def _with_remedy(found: Iterable[str]) -> Iterator[str]:
    """Add the remedy to the first warning; warnings never contain the secrets."""
    for index, text in enumerate(found):
        yield text if index else f"{text}{REMEDY}"


def _secrets(source: str, tree: ast.AST | None) -> list[tuple[int, str]]:
    """Return the lines with a secret, once each, and what it looks like."""
    found: dict[int, str] = {}
    for line, name in _named(source, tree):
        found.setdefault(line, f"`{name}` looks like a secret")
    for line, kind in forms_in(source):
        found.setdefault(line, f"this looks like {kind}")
    return sorted(found.items())


def _named(source: str, tree: ast.AST | None) -> Iterator[tuple[int, str]]:
    """Yield the lines that assign a secret literal to the name of a secret, and the name."""
    if tree is None:  # %%bash, %%writefile
        for number, line in enumerate(source.splitlines(), start=1):
            yield from ((number, name) for name in _assigned(line))
        return
    for node in ast.walk(tree):
        for name, value in _bindings(node):
            text = _text(value)
            if text and _is_secret(name, text):
                yield value.lineno, name
        # %env NAME=... is a call with such a string
        for name in _assigned(_text(node)):
            yield node.lineno, name  # type: ignore[attr-defined]


def _assigned(text: str) -> Iterator[str]:
    """Yield the names assigned a secret in text: `export NAME=...`, `Server=...;Password=...`."""
    found = [_ASSIGNED.match(text), _CONNECTION.search(text[:MAX_SECRET_LENGTH])]
    yield from (match[1] for match in found if match and _is_secret(match[1], match[2]))


def _text(node: ast.AST) -> str:
    """Return the text of a literal; empty for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant(value=bytes(data)):
            return data.decode("utf-8", errors="replace")
        case ast.JoinedStr(values=[ast.Constant(value=str(text))]):
            return text
    return ""


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a node assigns, with values: variables, attributes, keys, arguments."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _unpacked(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield _name(target), value
        case ast.NamedExpr(target=target, value=value):
            yield _name(target), value
        case ast.keyword(arg=str(name), value=value):
            yield name, value
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant):
                    yield str(key.value), value
        case ast.arguments():
            yield from _defaults(node)
        case ast.Call(func=function, args=[ast.Constant(value=str(key)), value]):
            if _name(function) in NAME_VALUE_FUNCTIONS:
                yield key, value


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names of a target, which may be a tuple, each with its value."""
    match target, value:
        case ast.Tuple() | ast.List(), ast.Tuple() | ast.List():
            for one, part in zip(target.elts, value.elts, strict=False):
                if isinstance(one, ast.Starred):  # the positions after it are unknown
                    return
                yield from _unpacked(one, part)
        case _:
            yield _name(target), value


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    """Yield the arguments of a function that have a default, with the default."""
    positional = [*arguments.posonlyargs, *arguments.args][::-1]
    for argument, value in zip(positional, arguments.defaults[::-1], strict=False):
        yield argument.arg, value
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default:
            yield argument.arg, default


def _name(target: ast.expr) -> str:
    """Return the last name of a target: `a.token`, `os.environ["TOKEN"]`."""
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=key)):
            return str(key)
    return ""


def _is_secret(name: str, value: str) -> bool:
    """Return whether a name says "secret" and its literal is not a word or placeholder."""
    match = is_secret_name(name)
    if not match or len(value) > MAX_SECRET_LENGTH or re.search(r"\s|://", value):
        return False
    if PLACEHOLDER.match(value) or _PATH.match(value):
        return False
    if _PREFIXED.match(value):
        return True
    if not match["word"] and re.fullmatch(WORDS, value):
        return False
    kinds = (r"[a-z]", r"[A-Z]", r"\d", r"[^\w.:/-]")
    of_name = "word" if match["word"] else "token" if match["token"] else "other"
    is_mixed = sum(bool(re.search(kind, value)) for kind in kinds) > 1
    return (
        len(value) >= MIN_LENGTHS[of_name] and is_mixed and bool(re.search(r"\d|[^\w.:/-]", value))
    )
