"""The models that a notebook fits at the top level, and the data of each.

The cells are followed from where data is read or loaded to each `model.fit(X, y)`.
Nothing is executed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from nachlass_builder.foundation.errors import Place
from nachlass_builder.notebook.notebook import Notebook
from nachlass_builder.notebook.sample_data import Data, Expressions, Held, is_true

FRAME_ATTRIBUTES = frozenset(
    "columns dtypes head iloc loc describe info dropna select_dtypes".split()
)
"""Common attributes that only frames have."""
FRAME_LIBRARIES = frozenset({"polars", "dask", "pyspark", "cudf", "modin", "vaex", "cuml"})
"""Libraries whose frames look like pandas's but are not."""
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
"""Classes that are fitted but do not predict rows."""


@dataclass(frozen=True)
class Fitted:
    """A top-level call of `fit`: a model and its argument."""

    model: Held
    argument: Held
    data: Data | None
    place: Place
    has_target: bool


@dataclass
class FittedModels:
    """The result of following the top-level statements of a notebook."""

    notebook: Notebook
    fitted: list[Fitted] = field(default_factory=list)
    frames: set[Held] = field(default_factory=set)
    predicting: set[str] = field(default_factory=set)
    known: Expressions = field(default_factory=Expressions)
    _made_by: dict[str, ast.expr] = field(default_factory=dict)

    def read(self) -> None:
        """Follow every cell that is executed."""
        for cell in self.notebook.cells:
            if cell.tree is None or cell.is_skipped:
                continue
            for node in ast.walk(cell.tree):
                match node:
                    case ast.Attribute(value=ast.Name(id=name), attr="predict" | "predict_proba"):
                        self.predicting.add(name)
            for statement in _statements(cell.tree.body):
                self._follow(statement, self.notebook.place(cell, statement.lineno))

    def can_serve(self, fitted: Fitted) -> bool:
        """Return whether a model is still bound, and certainly predicts rows."""
        made_by = self._class_of(fitted.model.text)
        if made_by in NO_ROWS or not self.known.is_current(fitted.model):
            return False
        return fitted.has_target or fitted.model.text in self.predicting or made_by in CLUSTERING

    def is_of_keras(self, model: str) -> bool:
        """Return whether a model is a Keras model, which takes arrays, not lists."""
        keras = {"keras", "tensorflow"}
        if not keras & {full.partition(".")[0] for full in self.known.modules.values()}:
            return False
        made_by = self._made_by.get(model)
        root = ast.unparse(made_by).partition(".")[0] if made_by else ""
        return self.known.modules.get(root, "keras").partition(".")[0] in keras

    def _class_of(self, name: str) -> str:
        """Return the name of the class that made an object: `KMeans`."""
        made_by = self._made_by.get(name)
        return ast.unparse(made_by).rpartition(".")[2] if made_by else ""

    def _follow(self, statement: ast.stmt, place: Place) -> None:
        """Record a fit, then the names that the statement binds and changes."""
        self._note_imports(statement)
        self._note_frames(statement)
        value, targets = getattr(statement, "value", None), _targets(statement)
        fit = self._fit_of(value, targets)
        made = dict(self.known.of_each(value, targets))
        for name in _changed(statement):
            self.known.changes[name] = self.known.changes.get(name, 0) + 1
        bound = {name for target in targets for name in _names(target)}
        for name in bound:
            self.known.data.pop(name, None)
        # A frame stays a frame when an item is set or a column is added.
        for name in {*self.known.data} & {*_changed(statement)}:
            self.known.data[name] = replace(
                self.known.data[name], holders=(self.known.held(ast.Name(name)),)
            )
        self._note_data(made)
        self._prefer_tests(value, targets)
        for name in bound:
            self._note_value(name, value)
        if fit:
            model, argument, data, has_target = fit
            self.fitted.append(Fitted(self.known.held(model), argument, data, place, has_target))

    def _note_imports(self, statement: ast.stmt) -> None:
        """Record the modules behind names."""
        match statement:
            case ast.Import(names=aliases):
                for alias in aliases:
                    self.known.modules[alias.asname or alias.name] = alias.name
            case ast.ImportFrom(module=str(module), names=aliases):
                for alias in aliases:
                    self.known.modules[alias.asname or alias.name] = f"{module}.{alias.name}"

    def _note_frames(self, statement: ast.stmt) -> None:
        """Record names used as only frames can be."""
        if FRAME_LIBRARIES & {full.partition(".")[0] for full in self.known.modules.values()}:
            return
        for node in _outside_functions(statement):
            match node:
                case ast.Attribute(value=ast.Name() as name, attr=attribute) if (
                    attribute in FRAME_ATTRIBUTES
                ):
                    self.frames.add(self.known.held(name))

    def _note_data(self, made: dict[str, Data]) -> None:
        """Record the data of names: a name holds its rows itself unless they were transformed."""
        for name, data in made.items():
            itself = () if data.transformers else (self.known.held(ast.Name(name)),)
            self.known.data[name] = replace(data, holders=(*itself, *data.holders))

    def _prefer_tests(self, value: ast.expr | None, targets: list[ast.expr]) -> None:
        """Prefer samples from the second part of a split."""
        match value, targets:
            case ast.Call(func=function), [ast.Tuple(elts=names)] if (
                ast.unparse(function).rpartition(".")[2] == "train_test_split"
            ):
                for train, test in zip(names[::2], names[1::2], strict=False):
                    if isinstance(train, ast.Name) and train.id in self.known.data:
                        data = self.known.data[train.id]
                        holders = (self.known.held(test), *data.holders)
                        self.known.data[train.id] = replace(data, holders=holders)

    def _note_value(self, name: str, value: ast.expr | None) -> None:
        """Record what made a name's value, and whether it is a literal."""
        self.known.texts.pop(name, None)
        self._made_by.pop(name, None)
        match value:
            case ast.Constant(value=str()):
                self.known.texts[name] = True
            case ast.List():
                self.known.texts[name] = False
            case ast.Call(func=function):
                while isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
                    function = function.value.func  # KMeans(3).fit(X)
                self._made_by[name] = function

    def _fit_of(
        self, value: ast.expr | None, targets: list[ast.expr]
    ) -> tuple[ast.Name, Held, Data | None, bool] | None:
        """Parse `model.fit(X, y)`: the model, the argument, its data, and if it has a target."""
        match value:
            case ast.Call(func=ast.Attribute(value=fitter, attr="fit"), args=args, keywords=words):
                features = [*args, *(word.value for word in words if word.arg == "X")]
            case _:
                return None
        if not features or isinstance(features[0], ast.Constant | ast.Starred):
            return None
        has_target = len(args) > 1 or any(word.arg == "y" for word in words)
        match fitter, targets:
            case ast.Name(), _:
                return fitter, self.known.held(features[0]), self.known.of(features[0]), has_target
            case ast.Call(), [ast.Name() as model]:
                return model, self.known.held(features[0]), self.known.of(features[0]), has_target
        return None


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that certainly run once, including those inside `with`."""
    for statement in body:
        if isinstance(statement, ast.With):
            yield from _statements(statement.body)
        else:
            yield statement


def _targets(statement: ast.stmt) -> list[ast.expr]:
    """Return the targets that a statement assigns to."""
    match statement:
        case ast.Assign(targets=targets):
            return targets
        case ast.AnnAssign(target=target):
            return [target]
    return []


def _names(target: ast.expr) -> Iterator[str]:
    """Yield the names that a target binds."""
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _names(part)


def _changed(statement: ast.stmt) -> list[str]:
    """Return the names that a statement binds, deletes, fits, or changes in place, each once."""
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
                if method in FITS or is_true(words, "inplace") or method in ("pop", "insert"):
                    found.append(name)
    return list(dict.fromkeys(found))


def _outside_functions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement, except the bodies of functions and classes."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))
