"""The data behind a notebook's expressions: frames, columns or rows, and their transformers.

Expressions that are not understood stay unknown: nothing is guessed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

PANDAS_MAKERS = frozenset("DataFrame get_dummies concat merge pivot_table json_normalize".split())
TO_ROWS = frozenset({"values", "to_numpy", "tolist", "to_list"})
SAME_KIND = frozenset(
    "copy head tail sample reset_index dropna fillna drop assign rename astype select_dtypes"
    " replace set_index sort_values sort_index query filter drop_duplicates lower upper strip"
    " round clip".split()
)
"""Methods that return a frame for a frame, and a column for a column."""


@dataclass(frozen=True)
class Held:
    """An expression, with the number of times each of its names had been changed."""

    text: str
    names: frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Data:
    """Samples: their form, their transformers, and the expressions of the untransformed data."""

    kind: Literal["frame", "column", "rows", "bunch", "unknown"]
    holders: tuple[Held, ...] = ()
    transformers: tuple[Held, ...] = ()


@dataclass
class Expressions:
    """The knowledge about top-level names, as far as the cells have been followed.

    `data` are samples by name, `changes` counts how often a name was bound, changed or
    fitted, `modules` are the imports by name; `texts` are names of literals, and whether
    each is a string: then `df[NAME]` is a column.
    """

    data: dict[str, Data] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    texts: dict[str, bool] = field(default_factory=dict)

    def alias(self, module: str) -> str | None:
        """Return the name under which the cells import a module."""
        return next((name for name, full in self.modules.items() if full == module), None)

    def is_current(self, held: Held) -> bool:
        """Return whether the names of an expression are unchanged."""
        return all(self.changes.get(name, 0) == count for name, count in held.names)

    def held(self, node: ast.expr) -> Held:
        """Return an expression with the current counts of its names."""
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        text = ast.unparse(node)
        is_plain = isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
        counts = frozenset((name, self.changes.get(name, 0)) for name in names)
        return Held(text if is_plain else f"({text})", counts)

    def _split(self, node: ast.expr) -> list[Data | None]:
        """Return the two parts of a split."""
        return [self.of(node) or Data("unknown", (self.held(node),))] * 2

    def of(self, node: ast.expr) -> Data | None:
        """Return the samples of an expression; None if it is not understood."""
        match node:
            case ast.Name(id=name):
                return self.data.get(name)
            case ast.Attribute(value=inner, attr=attribute):
                return self._of_attribute(self.of(inner), attribute)
            case ast.Subscript(value=inner, slice=chosen):
                return self._of_part(self.of(inner), inner, chosen)
            case ast.Call(func=function, args=args, keywords=words):
                return self._of_call(function, args, words)
        return None

    def _of_attribute(self, data: Data | None, attribute: str) -> Data | None:
        """Return the samples of an attribute."""
        if data is None:
            return None
        if data.kind == "bunch":
            return Data("frame" if attribute in ("data", "frame") else "column")
        if attribute in TO_ROWS and not data.transformers:
            return Data("rows")
        return replace(data, holders=()) if attribute in ("iloc", "loc", "str") else None

    def _of_part(self, data: Data | None, inner: ast.expr, chosen: ast.expr) -> Data | None:
        """Return the samples of `df[...]` or `df.iloc[...]`."""
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
                is_text = self.texts.get(name)
                return None if is_text is None else Data("column" if is_text else "frame")
        return Data(data.kind)

    def _of_call(
        self, function: ast.expr, args: list[ast.expr], words: list[ast.keyword]
    ) -> Data | None:
        """Return the samples of a call: a pandas frame, transformed samples, or a part of them."""
        called = ast.unparse(function)
        last = called.rpartition(".")[2]
        is_pandas = self.modules.get(called.partition(".")[0], "").partition(".")[0] == "pandas"
        if is_pandas and (last in PANDAS_MAKERS or last.startswith("read_")):
            of_others = [data for arg in args if (data := self.of(arg))]
            return None if any(data.transformers for data in of_others) else Data("frame")
        if is_true(words, "as_frame"):
            return Data("bunch")
        match function:
            case ast.Attribute(value=ast.Name(id=name) as owner, attr=method) if args and (
                method in ("fit_transform", "transform")
            ):
                before = self.of(args[0]) or Data("unknown")
                transformer = self.held(owner)
                if method == "fit_transform":  # which fits it first
                    after = frozenset({(name, self.changes.get(name, 0) + 1)})
                    transformer = replace(transformer, names=after)
                holders = () if before.transformers else (self.held(args[0]),)
                return Data(
                    before.kind,
                    (*before.holders, *holders),
                    (*before.transformers, transformer),
                )
            case ast.Attribute(value=inner, attr=method):
                data = self.of(inner)
                if data is None or data.kind == "bunch":
                    return None
                if method in TO_ROWS and not data.transformers:
                    return Data("rows")
                if method == "to_frame" and not data.transformers:
                    return Data("frame")
                return replace(data, holders=()) if method in SAME_KIND else None
        return None

    def of_each(
        self, value: ast.expr | None, targets: list[ast.expr]
    ) -> Iterator[tuple[str, Data]]:
        """Yield the samples that an assignment binds to each name, if known."""
        if value is None:
            return
        for target in targets:
            match target, value:
                case ast.Name(id=name), _:
                    if data := self.of(value):
                        yield name, data
                case ast.Tuple(elts=names), ast.Tuple(elts=values):
                    for one, part in zip(names, values, strict=False):
                        yield from self.of_each(part, [one])
                case ast.Tuple(elts=names), ast.Call(func=function, args=args, keywords=words):
                    parts: list[Data | None] = []
                    if ast.unparse(function).rpartition(".")[2] == "train_test_split":
                        parts = [part for arg in args for part in self._split(arg)]
                    elif is_true(words, "as_frame"):
                        parts = [Data("frame"), Data("column")]
                    for one, known in zip(names, parts, strict=False):
                        if isinstance(one, ast.Name) and known:
                            yield one.id, known


def is_true(words: Iterable[ast.keyword], name: str) -> bool:
    """Return whether a call has `name=True`."""
    return any(
        word.arg == name and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in words
    )
