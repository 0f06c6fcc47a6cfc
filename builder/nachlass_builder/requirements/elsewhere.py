"""Warnings about features of the platform a notebook was written on: Colab, Kaggle, Databricks.

Each is reported once per notebook, as a warning: a cell may catch the failure or never
reach it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from nachlass_builder.notebook.find_names import may_define_unseen
from nachlass_builder.notebook.notebook import Cell, Notebook
from nachlass_builder.requirements.import_names import COLAB

COPY = "copy the data into the repository and read it by a relative path"
READ = "read the value from a variable (os.environ) set in .s2i/environment or with -e"
SKIP = "remove the code that uses it, or tag the cell skip-execution"

MODULES = {
    "google.colab": COLAB,
    "kaggle_secrets": f"kaggle_secrets exists only on Kaggle: {READ}",
    "dbruntime": f"dbruntime exists only on Databricks: {SKIP}",
    "rpy2": f"rpy2 needs R, which builds do not have: {SKIP}",
}
"""Prefixes of modules that no distribution provides, or not with everything they need."""

NAMES = {
    "dbutils": f"dbutils exists only on Databricks: {SKIP}",
    "spark": "no cell defines `spark`, which Databricks provides: create it, or score without it",
    "sqlContext": (
        "no cell defines `sqlContext`, which Databricks provides: create it, or score without it"
    ),
}
"""Names that a platform binds before the first cell."""

PATHS = {
    r"/kaggle/(input|working)\b": f"a Kaggle path: {COPY}",
    r"/content/(drive|sample_data|gdrive)\b": f"a Colab path: {COPY}",
    r"(/dbfs/|dbfs:/)": f"a Databricks path: {COPY}",
    r"[A-Za-z]:(\\|/(?!/))[^\s]": f"a Windows path: {COPY}",
}
"""Prefixes of paths on another machine."""

ASK = f"nobody answers prompts during a build: {READ}"

CELL_MAGICS = frozenset(
    "bash capture debug html HTML javascript js latex markdown perl prun pypy python python2"
    " python3 ruby script sh svg SVG sx system time timeit writefile file code_wrap".split()
)
"""Built-in cell magics of IPython."""

LINE_MAGICS = frozenset({"R", "Rpull", "Rpush", "bigquery", "fs", "spark", "sql"})
"""Line magics of other platforms."""


def is_elsewhere(module: str) -> bool:
    """Return whether a dotted name is in a module that exists only on another platform."""
    return any(f"{module}.".startswith(f"{known}.") for known in MODULES)


def found_elsewhere(notebook: Notebook, provided: Collection[str]) -> Iterator[str]:
    """Warn of what a build does not have; `provided` are the required distributions."""
    seen = set()
    unseen, bound = may_define_unseen(notebook), _names_bound(notebook)
    loads = any("load_ext" in cell.source for cell in notebook.cells)
    for cell in notebook.cells:
        if cell.is_skipped or cell.may_raise:
            continue
        for line, subject, message in (*_of_magics(cell, provided, loads=loads), *_of_code(cell)):
            is_made_here = subject in NAMES and (unseen or subject in bound)
            if subject not in seen and not is_made_here:
                seen.add(subject)
                yield f"{notebook.place(cell, line)}: {message}"


def _of_magics(
    cell: Cell, provided: Collection[str], *, loads: bool
) -> Iterator[tuple[int, str, str]]:
    """Yield magics that a build does not have, each with its line and a message."""
    if found := re.match(r"\s*%%(\w+)", cell.source):
        magic = found[1]
        if magic not in CELL_MAGICS and not loads:
            yield 1, f"%%{magic}", f"nothing provides the magic %%{magic}: {SKIP}"
    for node in ast.walk(cell.tree) if cell.tree else ():
        match node:
            case ast.Call(
                func=ast.Attribute(attr="run_line_magic"),
                args=[ast.Constant(value=str(magic)), ast.Constant(value=str(words)), *_],
                lineno=line,
            ):
                if magic in LINE_MAGICS and not loads:
                    yield line, f"%{magic}", f"nothing provides the magic %{magic}: {SKIP}"
                elif magic == "load_ext" and words.startswith("rpy2"):
                    yield line, "rpy2", MODULES["rpy2"]
                elif magic in ("matplotlib", "pylab") and "matplotlib" not in provided:
                    message = "needs matplotlib, which is not required: add it, or remove the magic"
                    yield line, "matplotlib", f"%{magic} {message}"


def _of_code(cell: Cell) -> Iterator[tuple[int, str, str]]:
    """Yield imports outside `try`, names, calls and paths, each with its line and a message."""
    for statement in cell.tree.body if cell.tree else ():
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for name in _modules(statement):
                for module, message in MODULES.items():
                    if f"{name}.".startswith(f"{module}."):
                        yield statement.lineno, module, message
    for node in ast.walk(cell.tree) if cell.tree else ():
        match node:
            case ast.Name(id=name, ctx=ast.Load(), lineno=line) if name in NAMES:
                yield line, name, NAMES[name]
            case (
                ast.Call(func=ast.Name(id="input" | "getpass" as name), lineno=line)
                | ast.Call(func=ast.Attribute(attr="getpass" as name), lineno=line)
            ):
                yield line, name, f"{name}() waits for input, but {ASK}"
            case ast.Constant(value=str(text), lineno=line):
                for pattern, message in PATHS.items():
                    if re.match(pattern, text):
                        yield line, pattern, f"{text[:40]!r} is {message}"


def _modules(statement: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    if statement.level:
        return []
    module = statement.module or ""
    return [module, *(f"{module}.{alias.name}" for alias in statement.names)]


def _names_bound(notebook: Notebook) -> set[str]:
    """Return every name that a notebook binds anywhere, parameters included."""
    names = set()
    for cell in notebook.cells:
        for node in ast.walk(cell.tree) if cell.tree else ():
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                    names.add(name)
                case ast.alias(name=name, asname=asname):
                    names.add(asname or name)
    return names
