"""Pickles the predictor, then scores the samples twice. Notebook's kernel.

The builder writes a request and calls `run(folder)` in the live kernel; the
outcome is written beside it. Both are JSON files:

request.json   {"capture": "function" | "samples" | "pipeline", "root": the copy
               of the source, "output": the bundle in the making, "stages":
               [[notebook, file], ...], "limit": most samples, "budget_s":
               seconds that one scoring may take}
outcome.json   what `capture` returns, or {"error": {"code",
               "message", "path", "name", "type"}}

Failures are data: the builder turns them into sentences.
"""

from __future__ import annotations

import inspect
import json
import os
import pickle
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cloudpickle

import __main__
from nachlass_kernel import reducers
from nachlass_kernel.cells import cell_files
from nachlass_kernel.culprit import find_culprit
from nachlass_service.agreement import agree
from nachlass_service.errors import BundleError, ServiceError, UnserialisableError
from nachlass_service.model import Model, unpickle_model
from nachlass_service.strict_json import dumps, jsonable


class CaptureFailure(Exception):  # noqa: N818 - it is data on its way to the builder
    """Why there is nothing to serve."""

    def __init__(self, code: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts

    def as_data(self) -> dict[str, object]:
        """The failure as JSON."""
        return {"code": self.code, "message": str(self), **self.facts}


def run(folder: str) -> None:
    """Answer the request in `folder`."""
    request = json.loads((Path(folder) / "request.json").read_text(encoding="utf-8"))
    try:
        outcome = capture(request)
    except CaptureFailure as failure:
        outcome = {"error": failure.as_data()}
    text = json.dumps(outcome)
    (Path(folder) / "outcome.json").write_text(text, encoding="utf-8")


def capture(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the request asks; raises CaptureFailure.

    Every outcome has `cells`: the number of the cell behind each file name
    that code objects of this kernel carry.
    """
    return {**_capture(request), "cells": dict(cell_files())}


def _capture(request: Mapping[str, Any]) -> dict[str, Any]:
    """Capture functions, samples or a pipeline."""
    output = Path(request["output"])
    match request["capture"]:
        case "samples":
            _check_stage(output / request["stages"][-1][1], last=False)
            return _keep_samples(output, request["limit"])
        case "pipeline":
            _check_stage(output / request["stages"][-1][1], last=True)
            outcome = _check_stages(output, request["stages"])
            model = _load_stages(output)
            samples = _kept_samples(output, request["limit"])
        case _:
            functions = _functions()
            outcome = _pickle_functions(functions, output / "model.pickle")
            model = Model(
                functions["predictor"], functions["validator"], functions["batch_predictor"]
            )
            samples = _read_samples(request["limit"])
    outcome["import_folders"] = _import_folders(Path(request["root"]))
    outcome["samples"] = _score(model, samples, output / "samples.jsonl", request["budget_s"])
    return outcome


def _functions() -> dict[str, Any]:
    """The functions of the contract, as the cells left them."""
    if not hasattr(__main__, "predictor"):
        raise CaptureFailure("no_predictor", "after the last cell there is no `predictor`")
    found = {
        name: getattr(__main__, name, None)
        for name in ("predictor", "validator", "batch_predictor")
    }
    for name, function in found.items():
        if inspect.iscoroutinefunction(function):
            raise CaptureFailure(
                "not_callable",
                f"`{name}` is a coroutine function (async def): nobody awaits its answer",
                name=name,
            )
        absent = function is None and name != "predictor"
        if not absent and not callable(function):
            raise CaptureFailure(
                "not_callable",
                f"`{name}` is {_a(function)}, not a function",
                name=name,
            )
    return found


def _pickle_functions(functions: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Write the one dump that is served."""
    captured = [functions["validator"], functions["predictor"]]
    if functions["batch_predictor"] is not None:
        captured.append(functions["batch_predictor"])
    reducers.register()
    try:
        pickled = cloudpickle.dumps(tuple(captured))
    except Exception as error:
        culprit = find_culprit({k: v for k, v in functions.items() if v is not None})
        raise CaptureFailure(
            "unpicklable",
            f"{type(error).__name__}: {error}",
            function=culprit.function,
            path=culprit.path,
            name=culprit.name,
            type=culprit.kind,
        ) from error
    path.write_bytes(pickled)
    return {
        "pickle_bytes": len(pickled),
        "validator": functions["validator"] is not None,
        "batch_predictor": functions["batch_predictor"] is not None,
        "holds_build_path": os.fsencode(Path.cwd()) in pickled,
    }


class _StageReader(pickle.Unpickler):
    """Reads a stage as a process would that has never seen the notebook."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse names that only this kernel knows."""
        if module == "__main__":
            raise CaptureFailure(
                "stage",
                f"does not load outside the notebook: `{name}` is pickled by its name, "
                "and only the notebook knows that name",
                remedy="save it with cloudpickle, which keeps what the notebook defines",
            )
        return super().find_class(module, name)


def _check_stage(path: Path, *, last: bool) -> None:
    """Refuse a stage that a pipeline cannot use."""
    try:
        with path.open("rb") as file:
            stage = _StageReader(file).load()
    except CaptureFailure:
        raise
    except Exception as error:
        raise CaptureFailure(
            "stage",
            f"does not load: {type(error).__name__}: {error}",
            remedy="save it with pickle or cloudpickle",
        ) from error
    if not isinstance(stage, str) and not hasattr(stage, "predict" if last else "transform"):
        raise CaptureFailure(
            "stage",
            f"is {_a(stage)}, not a fitted scikit-learn estimator",
            remedy="save a transformer, or a model as the last stage",
        )


def _check_stages(output: Path, stages: list[list[str]]) -> dict[str, Any]:
    """What the stages weigh; that they exist the builder has seen."""
    size = sum((output / file).stat().st_size for _, file in stages)
    return {
        "pickle_bytes": size,
        "validator": False,
        "batch_predictor": True,
        "holds_build_path": any(
            os.fsencode(Path.cwd()) in (output / file).read_bytes() for _, file in stages
        ),
    }


def _load_stages(output: Path) -> Model:
    """The pipeline, loaded as the service will."""
    try:
        return unpickle_model(output, pipeline=True)
    except BundleError as error:
        raise CaptureFailure("stages", str(error)) from error


def _import_folders(root: Path) -> list[str]:
    """The folders of `sys.path` inside the source, relative to it, in order."""
    root = root.resolve()
    found = []
    for entry in sys.path:
        folder = Path(entry or ".").resolve()
        if folder.is_dir() and folder.is_relative_to(root):
            found.append(folder.relative_to(root).as_posix())
    return list(dict.fromkeys(found))


def _read_samples(limit: int) -> tuple[list[Any], int, str | None]:
    """The variable `samples` as JSON would deliver it: entries used, their total, why none."""
    if not hasattr(__main__, "samples"):
        return [], 0, "the notebook has no variable `samples`"
    try:
        entries = json.loads(dumps(_entries(__main__.samples)))
    except (ServiceError, TypeError) as error:
        return [], 0, f"`samples` is not a list of JSON values: {error}"
    total = len(entries)
    if total > limit:
        entries = [entries[index * total // limit] for index in range(limit)]
    return entries, total, None if entries else "`samples` is empty"


def _entries(samples: Any) -> list[Any]:
    """A list, array, series or frame as a list of samples; a frame's row is an object."""
    if isinstance(samples, str | bytes | Mapping):
        raise TypeError(f"it is {_a(samples)}")
    if type(samples).__name__ == "Series":
        samples = samples.tolist()
    plain = jsonable(samples)
    if not isinstance(plain, list):
        raise TypeError(f"it is {_a(samples)}")
    return plain


def _a(value: Any) -> str:
    """A value's type with its article."""
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _keep_samples(output: Path, limit: int) -> dict[str, Any]:
    """Keep the samples of a pipeline's notebook until the pipeline can score them."""
    entries, total, problem = _read_samples(limit)
    if problem is None:
        (output / "kept_samples.json").write_text(dumps([entries, total]), encoding="utf-8")
    return {"kept": problem is None}


def _kept_samples(output: Path, limit: int) -> tuple[list[Any], int, str | None]:
    """The samples that an earlier notebook of the pipeline left, or this one's."""
    path = output / "kept_samples.json"
    if not path.is_file():
        return _read_samples(limit)
    entries, total = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    return entries, total, None


def _score(
    model: Model, found: tuple[list[Any], int, str | None], path: Path, budget_s: float
) -> dict[str, Any]:
    """Score the samples twice and record the first answers.

    A variable that merely is called `samples` fails here: then there are none.
    """
    samples, total, problem = found
    if problem is not None:
        return {"count": 0, "problem": problem}
    try:
        first = _predictions(model, samples, budget_s)
        samples = samples[: len(first)]
        second = _predictions(model, samples, None)
    except _SampleError as error:
        return {"count": 0, "problem": str(error)}
    lines = [
        dumps({"sample": s, "prediction": p}) + "\n" for s, p in zip(samples, first, strict=True)
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return {
        "count": len(samples),
        "total": total,
        "deterministic": all(map(agree, first, second)),
        "problem": None,
    }


class _SampleError(Exception):
    """An entry of `samples` that validator or predictor do not take."""


def _predictions(model: Model, samples: list[Any], budget_s: float | None) -> list[Any]:
    """Score samples one by one, each as JSON delivers it, until the budget is spent."""
    started, predictions = time.monotonic(), []
    for index, sample in enumerate(samples):
        delivered = json.loads(json.dumps(sample))
        try:
            predictions.append(json.loads(dumps(model.predict(delivered))))
        except UnserialisableError as error:
            raise CaptureFailure(
                "no_json",
                f"`predictor` answers entry {index} of `samples` with what JSON cannot carry: "
                f"{error}",
            ) from error
        except ServiceError as error:
            raise _SampleError(f"its entry {index} is no sample: {error}") from error
        if budget_s is not None and time.monotonic() - started > budget_s:
            break
    return predictions
