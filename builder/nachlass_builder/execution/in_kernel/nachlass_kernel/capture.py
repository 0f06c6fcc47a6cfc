"""Pickles the predictor, then scores the samples twice. Notebook's kernel.

The builder writes request.json and calls `run(folder)` in the live kernel, which writes
outcome.json: the return value of `capture`, or {"error": {"code", "message", and the facts that
explain the code}}.

Failures are data: the builder turns them into messages.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import cloudpickle

import __main__
from nachlass_kernel import reducers
from nachlass_kernel.cells import cell_files
from nachlass_kernel.culprit import find_culprit
from nachlass_kernel.failure import CaptureFailure, type_name
from nachlass_kernel.samples import Samples, read_samples
from nachlass_kernel.scoring import score
from nachlass_kernel.stages import Pickle, check_stage, load_stages, weigh_stages
from nachlass_kernel.survey import Survey, survey
from nachlass_service.bundle.model import Model

KEPT_SAMPLES = "kept_samples.json"
"""The file in the staged bundle with the samples of a pipeline's earlier notebook."""


class Request(TypedDict):
    """The builder's request.

    `root` is the copy of the source, `output` the staged bundle; `stages` are a pipeline's
    notebooks with the files that they saved; `samples` is the name of the samples variable,
    `limit` the most samples to take, `budget_s` the time limit for one scoring.
    """

    capture: Literal["function", "samples", "pipeline"]
    root: str
    output: str
    stages: NotRequired[list[tuple[str, str]]]
    samples: str | None
    limit: int
    budget_s: float


def run(folder: str) -> None:
    """Process the request in `folder`."""
    request: Request = json.loads((Path(folder) / "request.json").read_text(encoding="utf-8"))
    outcome: dict[str, object]
    try:
        outcome = capture(request)
    except CaptureFailure as failure:
        outcome = {"error": failure.as_data()}
    text = json.dumps(outcome)
    (Path(folder) / "outcome.json").write_text(text, encoding="utf-8")


def capture(request: Request) -> dict[str, object]:
    """Process a request; raise CaptureFailure.

    Return {"cells": execution counts by the file names of this kernel's code objects,
    "pickled": null for a pipeline's earlier notebooks}.
    """
    pickled = _capture(request)
    return {"cells": dict(cell_files()), "pickled": pickled}


def _capture(request: Request) -> dict[str, object] | None:
    """Capture functions, samples or a pipeline."""
    output, surveyed = Path(request["output"]), Survey(paths=[], largest=None)
    match request["capture"]:
        case "samples":
            check_stage(output / request["stages"][-1][1], last=False)
            _keep_samples(output, request)
            return None
        case "pipeline":
            check_stage(output / request["stages"][-1][1], last=True)
            pickled = weigh_stages(output, request["stages"])
            model = load_stages(output)
            samples = _kept_samples(output, request)
        case _:
            functions = _functions()
            pickled = _pickle_functions(functions, output / "model.pickle")
            with suppress(Exception):  # it inspects the user's objects, and only warns
                surveyed = survey(functions, Path(request["root"]), pickled["pickle_bytes"])
            model = Model(
                functions["predictor"], functions["validator"], functions["batch_predictor"]
            )
            samples = read_samples(request["samples"], request["limit"])
    return {
        **pickled,
        **surveyed,
        "import_folders": _import_folders(Path(request["root"])),
        "samples": score(model, samples, output / "samples.jsonl", request["budget_s"]),
    }


def _functions() -> dict[str, Any]:
    """Return the functions of the contract, as the cells defined them."""
    if not hasattr(__main__, "predictor"):
        raise CaptureFailure("no_predictor", "`predictor` is not defined after the last cell")
    found = {
        name: getattr(__main__, name, None)
        for name in ("predictor", "validator", "batch_predictor")
    }
    for name, function in found.items():
        if inspect.iscoroutinefunction(function):
            raise CaptureFailure(
                "not_callable",
                f"`{name}` is a coroutine function (async def), which the service does not await",
                name=name,
            )
        absent = function is None and name != "predictor"
        if not absent and not callable(function):
            raise CaptureFailure(
                "not_callable",
                f"`{name}` is {type_name(function)}, not a function",
                name=name,
            )
        if not absent:
            _require_one_argument(name, function)
    return found


def _require_one_argument(name: str, function: Any) -> None:
    """Raise for a function whose signature does not accept one argument."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # some compiled functions have none
        return
    try:
        signature.bind(None)
    except TypeError:
        message = f"`{name}{signature}` cannot be called with one argument"
        raise CaptureFailure("arguments", message, name=name) from None


def _pickle_functions(functions: Mapping[str, Any], path: Path) -> Pickle:
    """Write the pickle that the service loads."""
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
        "holds_build_path": os.fsencode(Path.cwd()) in pickled,
    }


def _import_folders(root: Path) -> list[str]:
    """Return the folders of `sys.path` inside the source, relative to it, in order."""
    root = root.resolve()
    found = []
    for entry in sys.path:
        folder = Path(entry or ".").resolve()
        if folder.is_dir() and folder.is_relative_to(root):
            found.append(folder.relative_to(root).as_posix())
    return list(dict.fromkeys(found))


def _keep_samples(output: Path, request: Request) -> None:
    """Keep the samples of a pipeline's notebook until the pipeline can score them."""
    name = request["samples"]
    if name and hasattr(__main__, name):
        samples = read_samples(name, request["limit"])
        if samples.absent is None:
            samples.write(output / KEPT_SAMPLES)


def _kept_samples(output: Path, request: Request) -> Samples:
    """Return the samples that an earlier notebook of the pipeline left, or this one's."""
    path = output / KEPT_SAMPLES
    kept = Samples.take(path) if path.is_file() else None
    return kept or read_samples(request["samples"], request["limit"])
