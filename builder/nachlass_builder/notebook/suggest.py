"""Suggests a `predictor` for a notebook that fits a model and defines none.

The top level of the cells is followed from where data are read or loaded to the last
`model.fit(X, y)`: whether `X` is a frame, a column or rows, which fitted transformers it
went through, and which name holds its rows as they were before. Nothing is executed; what
is not understood counts as rows.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from nachlass_builder.foundation.errors import Place
from nachlass_builder.notebook.notebook import Notebook

MOST_SAMPLES = 100

PANDAS_MAKERS = ("DataFrame", "get_dummies", "concat", "merge", "pivot_table", "json_normalize")
OF_FRAMES = frozenset("columns dtypes head iloc loc describe info dropna select_dtypes".split())
"""Attributes that only a frame has, of those that cells like to use."""
TO_ROWS = frozenset({"values", "to_numpy", "tolist", "to_list", "toarray"})
SAME_FORM = frozenset({"copy", "head", "tail", "sample", "reset_index", "dropna", "fillna"})
"""Methods of a frame whose result has the same columns."""
CLUSTERING = frozenset(
    "KMeans MiniBatchKMeans BisectingKMeans GaussianMixture BayesianGaussianMixture Birch"
    " MeanShift AffinityPropagation IsolationForest OneClassSVM EllipticEnvelope".split()
)
"""Models that are fitted without a target."""

Held = tuple[str, int]
"""A name, or an attribute of one, and how often the name had been bound."""


@dataclass(frozen=True)
class Suggestion:
    """A cell that defines `predictor` and `samples`, and where the model is fitted."""

    code: str
    place: Place


@dataclass(frozen=True)
class Data:
    """Samples: their form, the transformers they went through, and what holds them before that."""

    kind: Literal["frame", "column", "rows", "bunch"]
    holders: tuple[Held, ...] = ()
    transformers: tuple[Held, ...] = ()


@dataclass(frozen=True)
class Fitted:
    """A call of `fit` at the top level."""

    model: str
    argument: ast.expr
    data: Data | None
    place: Place
    has_target: bool


def suggest_predictor(notebook: Notebook) -> Suggestion | None:
    """The cell that would define a predictor for the model that is fitted last; None without."""
    reader = _Reader(notebook)
    reader.read()
    able = [one for one in reader.fitted if one.has_target or reader.predicts(one.model)]
    if not able:
        return None
    fitted = able[-1]
    return Suggestion(_written(fitted, reader), fitted.place)


def define_predictor(notebook: Notebook) -> str:
    """What to do about a notebook without a predictor, with the suggestion if there is one."""
    remedy = "define predictor(x), which scores one sample, in a cell of its own"
    suggestion = suggest_predictor(notebook)
    if suggestion is None:
        return remedy
    code = textwrap.indent(suggestion.code, "    ")
    return f"{remedy}; a suggestion, made from what {suggestion.place} fits:\n{code}"


def _written(fitted: Fitted, reader: _Reader) -> str:
    """The cell's code."""
    data = fitted.data or Data("rows")
    holders = [text for text, _ in filter(reader.is_current, data.holders)]
    source = holders[0] if holders else ast.unparse(fitted.argument)
    if data.transformers and not (holders and all(map(reader.is_current, data.transformers))):
        # What the transformers got is gone: the samples are what they made of it.
        data, source = Data("rows"), ast.unparse(fitted.argument)
    if data.kind == "rows" and source in reader.frames:
        data = replace(data, kind="frame")
    lines = []
    x, samples = "[x]", f"list({source}[:{MOST_SAMPLES}])"
    if data.kind == "frame":
        pandas = reader.alias("pandas")
        lines += [] if pandas else ["import pandas as pd", ""]
        x = f"{pandas or 'pd'}.DataFrame([x])"
        samples = f'{source}.head({MOST_SAMPLES}).to_dict("records")'
    elif data.kind == "column":
        samples = f"{source}.head({MOST_SAMPLES}).tolist()"
    elif reader.is_of_keras(fitted.model):
        numpy = reader.alias("numpy")
        lines += [] if numpy else ["import numpy as np", ""]
        x = f"{numpy or 'np'}.array([x])"
    for transformer, _ in data.transformers:
        x = f"{transformer}.transform({x})"
    lines += [
        "def predictor(x):",
        f"    return {fitted.model}.predict({x})[0]",
        "",
        f"samples = {samples}",
    ]
    return "\n".join(lines)


@dataclass
class _Reader:
    """Follows the statements at the top level of a notebook."""

    notebook: Notebook
    fitted: list[Fitted] = field(default_factory=list)
    frames: set[str] = field(default_factory=set)
    _data: dict[str, Data] = field(default_factory=dict)
    _bound: dict[str, int] = field(default_factory=dict)
    _made_by: dict[str, str] = field(default_factory=dict)
    _modules: dict[str, str] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def read(self) -> None:
        """Follow every cell that runs."""
        for cell in self.notebook.cells:
            if cell.tree is None or cell.is_skipped:
                continue
            for node in ast.walk(cell.tree):
                match node:
                    case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                        self.frames |= {name} if attribute in OF_FRAMES else set()
                        self._asked |= {name} if attribute.startswith("predict") else set()
                    case ast.Import(names=aliases):
                        for alias in aliases:
                            self._modules[alias.asname or alias.name] = alias.name
                    case ast.ImportFrom(module=str(module), names=aliases):
                        for alias in aliases:
                            full = f"{module}.{alias.name}"
                            self._modules[alias.asname or alias.name] = full
            for statement in _statements(cell.tree.body):
                self._follow(statement, self.notebook.place(cell, statement.lineno))

    def alias(self, module: str) -> str | None:
        """The name by which the cells know a module."""
        return next((name for name, full in self._modules.items() if full == module), None)

    def is_current(self, held: Held) -> bool:
        """Whether a name is bound as it was."""
        text, count = held
        return self._bound.get(text.partition(".")[0], 0) == count

    def predicts(self, model: str) -> bool:
        """Whether a model that was fitted without a target certainly predicts."""
        return model in self._asked or self._made_by.get(model) in CLUSTERING

    def is_of_keras(self, model: str) -> bool:
        """Whether a model is one of Keras's, which takes arrays and no lists."""
        libraries = {full.partition(".")[0] for full in self._modules.values()}
        return self._made_by.get(model) in ("Sequential", "Model") and bool(
            libraries & {"keras", "tensorflow"}
        )

    def _follow(self, statement: ast.stmt, place: Place) -> None:
        """Note what is fitted, then what the statement binds."""
        value = getattr(statement, "value", None)
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        self._note_fit(value, targets, place)
        made = self._of_each(value, targets)
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self._bound[node.id] = self._bound.get(node.id, 0) + 1
                self._data.pop(node.id, None)
        for name, data in made.items():
            held = () if data.transformers else ((name, self._bound[name]),)
            self._data[name] = replace(data, holders=(*held, *data.holders))
        match targets, value:
            case [ast.Name(id=name)], ast.Call(func=function):
                while isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
                    function = function.value.func  # KMeans(3).fit(X)
                self._made_by[name] = ast.unparse(function).rpartition(".")[2]

    def _note_fit(self, value: ast.expr | None, targets: list[ast.expr], place: Place) -> None:
        """Note `model.fit(X, y)`, also where its result is kept."""
        match value:
            case ast.Call(func=ast.Attribute(value=fitter, attr="fit"), args=args, keywords=words):
                by_name = [word.value for word in words if word.arg == "X"]
            case _:
                return
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        match fitter, names:
            case ast.Name(id=model), _:
                pass
            case ast.Call(), [model]:
                pass
            case _:
                return
        argument = next(iter([*args, *by_name]), None)
        if argument is None:
            return
        has_target = len(args) > 1 or any(word.arg == "y" for word in words)
        self.fitted.append(Fitted(model, argument, self._of(argument), place, has_target))

    def _of_each(self, value: ast.expr | None, targets: list[ast.expr]) -> dict[str, Data]:
        """What an assignment gives to each name, as far as it is known."""
        match targets, value:
            case [ast.Name(id=name)], ast.expr():
                data = self._of(value)
                return {name: data} if data else {}
            case [ast.Tuple(elts=names)], ast.Call(func=function, args=args, keywords=words):
                called = ast.unparse(function).rpartition(".")[2]
                parts: list[Data | None] = []
                if called == "train_test_split":
                    given = [self._of(arg) or self._rows(arg) for arg in args]
                    parts = [data for data in given for _ in ("train", "test")]
                elif _is_true(words, "as_frame"):
                    parts = [Data("frame"), Data("column")]
                pairs = zip(names, parts, strict=False)
                return {
                    name.id: data for name, data in pairs if isinstance(name, ast.Name) and data
                }
        return {}

    def _of(self, node: ast.expr) -> Data | None:
        """The samples that an expression gives; None if it is not understood."""
        match node:
            case ast.Name(id=name):
                return self._data.get(name)
            case ast.Attribute(value=inner, attr=attribute):
                return self._of_attribute(self._of(inner), attribute)
            case ast.Subscript(value=inner, slice=chosen):
                data = self._of(inner)
                if data is None or data.kind not in ("frame", "column"):
                    return None
                by_position = isinstance(inner, ast.Attribute) and inner.attr in ("iloc", "loc")
                if by_position and isinstance(chosen, ast.Tuple) and len(chosen.elts) > 1:
                    chosen = chosen.elts[1]
                    is_one = isinstance(chosen, ast.Constant | ast.UnaryOp)
                else:
                    is_one = isinstance(chosen, ast.Constant) and not by_position
                return Data("column" if is_one or data.kind == "column" else "frame")
            case ast.Call(func=function, args=args, keywords=words):
                return self._of_call(function, args, words)
        return None

    def _of_attribute(self, data: Data | None, attribute: str) -> Data | None:
        """What an attribute of samples is."""
        if data is None:
            return None
        if data.kind == "bunch":
            return Data("frame") if attribute in ("data", "frame") else Data("column")
        if attribute in TO_ROWS:
            return replace(data, kind="rows", holders=())
        return data if attribute in ("iloc", "loc", "str") else None

    def _of_call(
        self, function: ast.expr, args: list[ast.expr], words: list[ast.keyword]
    ) -> Data | None:
        """What a call returns: a frame of pandas, transformed samples, or a part of samples."""
        called = ast.unparse(function)
        last = called.rpartition(".")[2]
        is_pandas = self._modules.get(called.partition(".")[0], "").partition(".")[0] == "pandas"
        if is_pandas and (last in PANDAS_MAKERS or last.startswith("read_")):
            return Data("frame")
        if _is_true(words, "as_frame"):
            return Data("bunch")
        match function:
            case ast.Attribute(value=ast.Name(id=name), attr="fit_transform" | "transform") if args:
                before = self._of(args[0]) or self._rows(args[0])
                transformer = (name, self._bound.get(name, 0))
                if before is None:
                    return None
                return replace(before, transformers=(*before.transformers, transformer))
            case ast.Attribute(value=owner, attr=method):
                data = self._of(owner)
                if data is None or data.kind == "bunch":
                    return None
                if method in TO_ROWS:
                    return replace(data, kind="rows", holders=())
                return data if method in SAME_FORM else replace(data, holders=())
        return None

    def _rows(self, node: ast.expr) -> Data | None:
        """Rows that a name, or an attribute of one, holds."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name):
            return None
        return Data("rows", ((ast.unparse(node), self._bound.get(root.id, 0)),))


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that certainly run once, those inside `with` among them."""
    for statement in body:
        if isinstance(statement, ast.With):
            yield from _statements(statement.body)
        else:
            yield statement


def _is_true(words: list[ast.keyword], name: str) -> bool:
    """Whether a call has `name=True`."""
    return any(
        word.arg == name and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in words
    )
