"""Suggests a `predictor` for a notebook that fits a model but defines none."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from nachlass_builder.foundation.errors import Place
from nachlass_builder.notebook.fitted_models import Fitted, FittedModels
from nachlass_builder.notebook.notebook import Notebook

MAX_SAMPLES = 100


@dataclass(frozen=True)
class Suggestion:
    """A cell that defines `predictor` and `samples`, and the place where the model is fitted."""

    code: str
    place: Place


def suggest_predictor(notebook: Notebook) -> Suggestion | None:
    """Suggest a cell that defines a predictor for the model fitted last; None without one."""
    reader = FittedModels(notebook)
    try:
        reader.read()
    except RecursionError:  # an expression nested too deeply to be hand-written
        return None
    usable = [one for one in reader.fitted if reader.can_serve(one)]
    called = [one for one in usable if one.model.text in reader.predicting]
    for fitted in (called or usable)[-1:]:
        if code := _written(fitted, reader):
            return Suggestion(code, fitted.place)
    return None


def define_predictor(notebook: Notebook) -> str:
    """Return the remedy for a notebook without a predictor, with a suggestion if there is one."""
    remedy = "define predictor(x), which scores one sample, in a separate cell"
    suggestion = suggest_predictor(notebook)
    if suggestion is None:
        return remedy
    code = textwrap.indent(suggestion.code, "    ")
    return f"{remedy}; a suggestion, based on the model fitted at {suggestion.place}:\n{code}"


def _written(fitted: Fitted, reader: FittedModels) -> str | None:
    """Return the cell's code; None if the rows passed to `fit` are gone."""
    data, source = fitted.data, fitted.argument
    if data:
        holder = next(filter(reader.known.is_current, data.holders), None)
        if data.transformers and not (
            holder and all(map(reader.known.is_current, data.transformers))
        ):
            return None
        source = holder or source
    if not reader.known.is_current(source):
        return None
    kind = data.kind if data else "unknown"
    if kind in ("rows", "unknown") and source in reader.frames:
        kind = "frame"
    used = {name for held in (fitted.model, source) for name, _ in held.names}
    x = "row" if "x" in used else "x"
    if used & {"predictor", "samples"}:
        return None
    lines, row = [], f"[{x}]"
    if kind == "frame" or (kind == "unknown" and reader.known.alias("pandas")):
        pandas = reader.known.alias("pandas")
        lines += [] if pandas else ["import pandas as pd", ""]
        frame = f"{pandas or 'pd'}.DataFrame([{x}])"
        row = frame if kind == "frame" else f"{frame} if isinstance({x}, dict) else [{x}]"
    elif reader.is_of_keras(fitted.model.text):
        numpy = reader.known.alias("numpy")
        lines += [] if numpy else ["import numpy as np", ""]
        row = f"{numpy or 'np'}.array([{x}])"
    for transformer in data.transformers if data else ():
        row = f"{transformer.text}.transform({row})"
    lines += [
        f"def predictor({x}):",
        f"    return {fitted.model.text}.predict({row})[0]",
        "",
        f"samples = {source.text}[:{MAX_SAMPLES}]",
    ]
    return "\n".join(lines)
