"""Suggests a `predictor` for a notebook that fits a model and defines none.

The top level of the cells is followed from where data are read or loaded to the last
`model.fit(X, y)`: whether `X` is a frame, a column or rows, which fitted transformers it
went through, and what still holds its rows as they were before. Nothing is executed; what
is not understood is not guessed at.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from nachlass_builder.foundation.errors import Place
from nachlass_builder.notebook.notebook import Notebook

MOST_SAMPLES = 100

PANDAS_MAKERS = frozenset("DataFrame get_dummies concat merge pivot_table json_normalize".split())
OF_FRAMES = frozenset("columns dtypes head iloc loc describe info dropna select_dtypes".split())
"""Attributes that only a frame has, of those that cells like to use."""
OTHER_FRAMES = frozenset({"polars", "dask", "pyspark", "cudf", "modin", "vaex", "cuml"})
"""Libraries whose frames look like pandas's and are none."""
TO_ROWS = frozenset({"values", "to_numpy", "tolist", "to_list"})
SAME_KIND = frozenset(
    "copy head tail sample reset_index dropna fillna drop assign rename astype select_dtypes"
    " replace set_index sort_values sort_index query filter drop_duplicates lower upper strip"
    " round clip".split()
)
"""Methods that give a frame for a frame, and a column for a column."""
FITS = frozenset({"fit", "fit_transform", "partial_fit", "fit_predict", "fit_resample"})
CLUSTERING = frozenset(
    "KMeans MiniBatchKMeans BisectingKMeans GaussianMixture BayesianGaussianMixture Birch"
    " MeanShift AffinityPropagation IsolationForest OneClassSVM EllipticEnvelope".split()
)
"""Models that are fitted without a target."""
NO_ROWS = frozenset(
    "SelectKBest SelectPercentile SelectFromModel RFE RFECV VarianceThreshold TargetEncoder"
    " LabelEncoder LabelBinarizer Prophet NeuralProphet ARIMA SARIMAX AutoARIMA TfidfVectorizer"
    " CountVectorizer SimpleExpSmoothing ExponentialSmoothing Word2Vec Tokenizer".split()
)
"""What is fitted and predicts no row."""


@dataclass(frozen=True)
class Held:
    """An expression, and how often each of its names had been bound, changed or fitted."""

    text: str
    names: frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Data:
    """Samples: their form, the transformers they went through, and what holds them before that."""

    kind: Literal["frame", "column", "rows", "bunch", "unknown"]
    holders: tuple[Held, ...] = ()
    transformers: tuple[Held, ...] = ()


@dataclass(frozen=True)
class Fitted:
    """A call of `fit` at the top level: of a model, on an argument."""

    model: Held
    argument: Held
    data: Data | None
    place: Place
    has_target: bool


@dataclass(frozen=True)
class Suggestion:
    """A cell that defines `predictor` and `samples`, and where the model is fitted."""

    code: str
    place: Place


def suggest_predictor(notebook: Notebook) -> Suggestion | None:
    """The cell that would define a predictor for the model that is fitted last; None without."""
    reader = _Reader(notebook)
    try:
        reader.read()
    except RecursionError:  # an expression that is nested too deeply to be one of people's
        return None
    able = [one for one in reader.fitted if reader.can_serve(one)]
    asked = [one for one in able if one.model.text in reader.asked]
    for fitted in (asked or able)[-1:]:
        if code := _written(fitted, reader):
            return Suggestion(code, fitted.place)
    return None


def define_predictor(notebook: Notebook) -> str:
    """What to do about a notebook without a predictor, with the suggestion if there is one."""
    remedy = "define predictor(x), which scores one sample, in a cell of its own"
    suggestion = suggest_predictor(notebook)
    if suggestion is None:
        return remedy
    code = textwrap.indent(suggestion.code, "    ")
    return f"{remedy}; a suggestion, made from what {suggestion.place} fits:\n{code}"


def _written(fitted: Fitted, reader: _Reader) -> str | None:
    """The cell's code; None where the rows that `fit` got are gone."""
    data, source = fitted.data, fitted.argument
    if data:
        holder = next(filter(reader.is_current, data.holders), None)
        if data.transformers and not (holder and all(map(reader.is_current, data.transformers))):
            return None
        source = holder or source
    if not reader.is_current(source):
        return None
    kind = data.kind if data else "unknown"
    if kind in ("rows", "unknown") and source in reader.frames:
        kind = "frame"
    used = {name for held in (fitted.model, source) for name, _ in held.names}
    x = "row" if "x" in used else "x"
    if used & {"predictor", "samples"}:
        return None
    lines, row = [], f"[{x}]"
    if kind == "frame" or (kind == "unknown" and reader.alias("pandas")):
        pandas = reader.alias("pandas")
        lines += [] if pandas else ["import pandas as pd", ""]
        frame = f"{pandas or 'pd'}.DataFrame([{x}])"
        row = frame if kind == "frame" else f"{frame} if isinstance({x}, dict) else [{x}]"
    elif reader.is_of_keras(fitted.model.text):
        numpy = reader.alias("numpy")
        lines += [] if numpy else ["import numpy as np", ""]
        row = f"{numpy or 'np'}.array([{x}])"
    for transformer in data.transformers if data else ():
        row = f"{transformer.text}.transform({row})"
    lines += [
        f"def predictor({x}):",
        f"    return {fitted.model.text}.predict({row})[0]",
        "",
        f"samples = {source.text}[:{MOST_SAMPLES}]",
    ]
    return "\n".join(lines)


@dataclass
class _Reader:
    """Follows the statements at the top level of a notebook."""

    notebook: Notebook
    fitted: list[Fitted] = field(default_factory=list)
    frames: set[Held] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    _data: dict[str, Data] = field(default_factory=dict)
    _changes: dict[str, int] = field(default_factory=dict)
    _made_by: dict[str, ast.expr] = field(default_factory=dict)
    _modules: dict[str, str] = field(default_factory=dict)
    _texts: dict[str, bool] = field(default_factory=dict)
    """Names of literals, and whether each is a text: `df[NAME]` is a column then."""

    def read(self) -> None:
        """Follow every cell that runs."""
        for cell in self.notebook.cells:
            if cell.tree is None or cell.is_skipped:
                continue
            for node in ast.walk(cell.tree):
                match node:
                    case ast.Attribute(value=ast.Name(id=name), attr="predict" | "predict_proba"):
                        self.asked.add(name)
            for statement in _statements(cell.tree.body):
                self._follow(statement, self.notebook.place(cell, statement.lineno))

    def alias(self, module: str) -> str | None:
        """The name by which the cells know a module."""
        return next((name for name, full in self._modules.items() if full == module), None)

    def is_current(self, held: Held) -> bool:
        """Whether the names of an expression are what they were."""
        return all(self._changes.get(name, 0) == count for name, count in held.names)

    def can_serve(self, fitted: Fitted) -> bool:
        """Whether a model is still there, and certainly predicts rows."""
        made_by = self._class_of(fitted.model.text)
        if made_by in NO_ROWS or not self.is_current(fitted.model):
            return False
        return fitted.has_target or fitted.model.text in self.asked or made_by in CLUSTERING

    def is_of_keras(self, model: str) -> bool:
        """Whether a model is one of Keras's, which takes arrays and no lists."""
        keras = {"keras", "tensorflow"}
        if not keras & {full.partition(".")[0] for full in self._modules.values()}:
            return False
        made_by = self._made_by.get(model)
        root = ast.unparse(made_by).partition(".")[0] if made_by else ""
        return self._modules.get(root, "keras").partition(".")[0] in keras

    def _class_of(self, name: str) -> str:
        """The last name of what made an object: `KMeans`."""
        made_by = self._made_by.get(name)
        return ast.unparse(made_by).rpartition(".")[2] if made_by else ""

    def _held(self, node: ast.expr) -> Held:
        """An expression as it is now."""
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        text = ast.unparse(node)
        is_plain = isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
        counts = frozenset((name, self._changes.get(name, 0)) for name in names)
        return Held(text if is_plain else f"({text})", counts)

    def _follow(self, statement: ast.stmt, place: Place) -> None:
        """Note what is fitted, then what the statement binds and changes."""
        self._note_imports(statement)
        self._note_frames(statement)
        value, targets = getattr(statement, "value", None), _targets(statement)
        fit = self._fit_of(value, targets)
        made = dict(self._of_each(value, targets))
        for name in _changed(statement):
            self._changes[name] = self._changes.get(name, 0) + 1
        bound = {name for target in targets for name in _names(target)}
        for name in bound:
            self._data.pop(name, None)
        # An item that is set, or a column that is added, leaves a frame what it is.
        for name in {*self._data} & {*_changed(statement)}:
            self._data[name] = replace(self._data[name], holders=(self._held(ast.Name(name)),))
        self._note_data(made)
        self._prefer_tests(value, targets)
        for name in bound:
            self._note_value(name, value)
        if fit:
            model, argument, data, has_target = fit
            self.fitted.append(Fitted(self._held(model), argument, data, place, has_target))

    def _note_imports(self, statement: ast.stmt) -> None:
        """The modules behind names."""
        match statement:
            case ast.Import(names=aliases):
                for alias in aliases:
                    self._modules[alias.asname or alias.name] = alias.name
            case ast.ImportFrom(module=str(module), names=aliases):
                for alias in aliases:
                    self._modules[alias.asname or alias.name] = f"{module}.{alias.name}"

    def _note_frames(self, statement: ast.stmt) -> None:
        """What is used as only a frame can be."""
        if OTHER_FRAMES & {full.partition(".")[0] for full in self._modules.values()}:
            return
        for node in _outside_functions(statement):
            match node:
                case ast.Attribute(value=ast.Name() as name, attr=attribute) if (
                    attribute in OF_FRAMES
                ):
                    self.frames.add(self._held(name))

    def _note_data(self, made: dict[str, Data]) -> None:
        """What names hold: each holds its rows itself, unless they were transformed."""
        for name, data in made.items():
            itself = () if data.transformers else (self._held(ast.Name(name)),)
            self._data[name] = replace(data, holders=(*itself, *data.holders))

    def _prefer_tests(self, value: ast.expr | None, targets: list[ast.expr]) -> None:
        """Of two parts of one split, the rows of the second are those to sample."""
        match value, targets:
            case ast.Call(func=function), [ast.Tuple(elts=names)] if (
                ast.unparse(function).rpartition(".")[2] == "train_test_split"
            ):
                for train, test in zip(names[::2], names[1::2], strict=False):
                    if isinstance(train, ast.Name) and train.id in self._data:
                        data = self._data[train.id]
                        holders = (self._held(test), *data.holders)
                        self._data[train.id] = replace(data, holders=holders)

    def _note_value(self, name: str, value: ast.expr | None) -> None:
        """What made a name's value, and whether it is a literal."""
        self._texts.pop(name, None)
        self._made_by.pop(name, None)
        match value:
            case ast.Constant(value=str()):
                self._texts[name] = True
            case ast.List():
                self._texts[name] = False
            case ast.Call(func=function):
                while isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
                    function = function.value.func  # KMeans(3).fit(X)
                self._made_by[name] = function

    def _fit_of(
        self, value: ast.expr | None, targets: list[ast.expr]
    ) -> tuple[ast.Name, Held, Data | None, bool] | None:
        """`model.fit(X, y)`: the model, the argument, what that is, and if there is a target."""
        match value:
            case ast.Call(func=ast.Attribute(value=fitter, attr="fit"), args=args, keywords=words):
                given = [*args, *(word.value for word in words if word.arg == "X")]
            case _:
                return None
        if not given or isinstance(given[0], ast.Constant | ast.Starred):
            return None
        has_target = len(args) > 1 or any(word.arg == "y" for word in words)
        match fitter, targets:
            case ast.Name(), _:
                return fitter, self._held(given[0]), self._of(given[0]), has_target
            case ast.Call(), [ast.Name() as model]:
                return model, self._held(given[0]), self._of(given[0]), has_target
        return None

    def _of_each(
        self, value: ast.expr | None, targets: list[ast.expr]
    ) -> Iterator[tuple[str, Data]]:
        """What an assignment gives to each name, as far as it is known."""
        if value is None:
            return
        for target in targets:
            match target, value:
                case ast.Name(id=name), _:
                    if data := self._of(value):
                        yield name, data
                case ast.Tuple(elts=names), ast.Tuple(elts=values):
                    for one, part in zip(names, values, strict=False):
                        yield from self._of_each(part, [one])
                case ast.Tuple(elts=names), ast.Call(func=function, args=args, keywords=words):
                    parts: list[Data | None] = []
                    if ast.unparse(function).rpartition(".")[2] == "train_test_split":
                        parts = [part for arg in args for part in self._split(arg)]
                    elif _is_true(words, "as_frame"):
                        parts = [Data("frame"), Data("column")]
                    for one, known in zip(names, parts, strict=False):
                        if isinstance(one, ast.Name) and known:
                            yield one.id, known

    def _split(self, node: ast.expr) -> list[Data | None]:
        """The two parts of what is split."""
        return [self._of(node) or Data("unknown", (self._held(node),))] * 2

    def _of(self, node: ast.expr) -> Data | None:
        """The samples that an expression gives; None if it is not understood."""
        match node:
            case ast.Name(id=name):
                return self._data.get(name)
            case ast.Attribute(value=inner, attr=attribute):
                return self._of_attribute(self._of(inner), attribute)
            case ast.Subscript(value=inner, slice=chosen):
                return self._of_part(self._of(inner), inner, chosen)
            case ast.Call(func=function, args=args, keywords=words):
                return self._of_call(function, args, words)
        return None

    def _of_attribute(self, data: Data | None, attribute: str) -> Data | None:
        """What an attribute of samples is."""
        if data is None:
            return None
        if data.kind == "bunch":
            return Data("frame" if attribute in ("data", "frame") else "column")
        if attribute in TO_ROWS and not data.transformers:
            return Data("rows")
        return replace(data, holders=()) if attribute in ("iloc", "loc", "str") else None

    def _of_part(self, data: Data | None, inner: ast.expr, chosen: ast.expr) -> Data | None:
        """What `df[...]`, `df.iloc[...]` are."""
        if data is None or data.transformers or data.kind not in ("frame", "column"):
            return None
        if isinstance(inner, ast.Attribute) and inner.attr in ("iloc", "loc"):
            match chosen:
                case ast.Tuple(elts=[_, ast.Constant() | ast.UnaryOp()]):
                    return Data("column")
            return Data(data.kind)
        match chosen:
            case ast.Constant(value=str()):
                return Data("column")
            case ast.Name(id=name):
                is_text = self._texts.get(name)
                return None if is_text is None else Data("column" if is_text else "frame")
        return Data(data.kind)

    def _of_call(
        self, function: ast.expr, args: list[ast.expr], words: list[ast.keyword]
    ) -> Data | None:
        """What a call returns: a frame of pandas, transformed samples, or a part of samples."""
        called = ast.unparse(function)
        last = called.rpartition(".")[2]
        is_pandas = self._modules.get(called.partition(".")[0], "").partition(".")[0] == "pandas"
        if is_pandas and (last in PANDAS_MAKERS or last.startswith("read_")):
            of_others = [data for arg in args if (data := self._of(arg))]
            return None if any(data.transformers for data in of_others) else Data("frame")
        if _is_true(words, "as_frame"):
            return Data("bunch")
        match function:
            case ast.Attribute(value=ast.Name(id=name) as owner, attr=method) if args and (
                method in ("fit_transform", "transform")
            ):
                before = self._of(args[0]) or Data("unknown")
                transformer = self._held(owner)
                if method == "fit_transform":  # it is fitted by then
                    after = frozenset({(name, self._changes.get(name, 0) + 1)})
                    transformer = replace(transformer, names=after)
                holders = () if before.transformers else (self._held(args[0]),)
                return Data(
                    before.kind,
                    (*before.holders, *holders),
                    (*before.transformers, transformer),
                )
            case ast.Attribute(value=inner, attr=method):
                data = self._of(inner)
                if data is None or data.kind == "bunch":
                    return None
                if method in TO_ROWS and not data.transformers:
                    return Data("rows")
                if method == "to_frame" and not data.transformers:
                    return Data("frame")
                return replace(data, holders=()) if method in SAME_KIND else None
        return None


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that certainly run once, those inside `with` among them."""
    for statement in body:
        if isinstance(statement, ast.With):
            yield from _statements(statement.body)
        else:
            yield statement


def _targets(statement: ast.stmt) -> list[ast.expr]:
    """What a statement assigns to."""
    match statement:
        case ast.Assign(targets=targets):
            return targets
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return [target] if isinstance(statement, ast.AnnAssign) else []
    return []


def _names(target: ast.expr) -> Iterator[str]:
    """The names that a target binds."""
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _names(part)


def _changed(statement: ast.stmt) -> list[str]:
    """The names that a statement binds, deletes, fits, or changes in place, each once."""
    found: list[str] = []
    for node in _outside_functions(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found.append(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.append(name)
            case ast.alias(name=name, asname=asname):
                found.append(asname or name.partition(".")[0])
            case (
                ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del())
                | ast.Attribute(value=ast.Name(id=name), ctx=ast.Store())
            ):
                found.append(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), keywords=words):
                if method in FITS or _is_true(words, "inplace") or method in ("pop", "insert"):
                    found.append(name)
    return list(dict.fromkeys(found))


def _outside_functions(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement, but for the bodies of functions and classes."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


def _is_true(words: Iterable[ast.keyword], name: str) -> bool:
    """Whether a call has `name=True`."""
    return any(
        word.arg == name and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in words
    )
