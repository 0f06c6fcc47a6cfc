"""Loads a bundle's model and calls it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

from nachlass_service.base.errors import (
    BundleError,
    InterruptedCallError,
    PredictorError,
    RefusedError,
)
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.jsonable import by_position, convert
from nachlass_service.bundle.manifest import check_inside

Function = Callable[[Any], Any]

FAILURES = (BaseException,)
"""The exceptions of the user's code that do not end the process."""

BY_NAME = re.compile(r"Can't get attribute '([^']+)' on <module '[\w.]*__main__'")
"""pickle's message for a class or function of the notebook that was not pickled by value."""


@dataclass(frozen=True)
class Model:
    """The functions of a bundle, which take one sample or a list of samples.

    A `listwise` model, such as a pipeline, takes a JSON list as a list of samples.
    """

    predictor: Function
    validator: Function | None = None
    batch_predictor: Function | None = None
    listwise: bool = False

    def answer(self, request: Any) -> Any:
        """Predict for a request: one sample, or a list of samples for a listwise model."""
        if self.takes_as_batch(request):
            return self.predict_batch(request) if request else []
        return self.predict(request)

    def takes_as_batch(self, request: Any) -> bool:
        """Return whether a request is a list of samples rather than one."""
        return self.listwise and isinstance(request, list)

    def predict(self, sample: Any) -> Any:
        """Score one sample, decoded from JSON, and return a value that JSON can represent.

        Raises RefusedError, PredictorError or UnserialisableError.
        """
        self.validate(sample)
        try:
            prediction = self.predictor(sample)
        except InterruptedCallError:
            raise
        except FAILURES as error:
            raise PredictorError(describe(error)) from error
        return convert(prediction)

    def validate(self, sample: Any) -> None:
        """Call the validator; raises RefusedError when it rejects the sample or raises.

        A missing module is not the sample's fault and raises PredictorError.
        """
        if self.validator is None:
            return
        try:
            accepted = bool(self.validator(sample))
        except ModuleNotFoundError as error:
            raise PredictorError(f"the validator raised {describe(error)}") from error
        except InterruptedCallError:
            raise
        except FAILURES as error:
            raise RefusedError(f"the validator raised {describe(error)}") from error
        if not accepted:
            raise RefusedError("the validator rejected the sample")

    def validate_and_predict_batch(self, samples: Sequence[Any]) -> list[Any]:
        """Validate each sample, then score all at once; RefusedError for the first rejected one."""
        for sample in samples:
            self.validate(sample)
        return self.predict_batch(samples)

    def predict_batch(self, samples: Sequence[Any]) -> list[Any]:
        """Score valid samples at once; raises PredictorError also for a wrong count."""
        if self.batch_predictor is None:
            raise PredictorError("the bundle has no batch_predictor")
        try:
            answered = self.batch_predictor(list(samples))
        except InterruptedCallError:
            raise
        except FAILURES as error:
            raise PredictorError(describe(error)) from error
        predictions = convert(by_position(answered))
        if not isinstance(predictions, list) or len(predictions) != len(samples):
            count = len(predictions) if isinstance(predictions, list) else "no list of"
            raise PredictorError(
                f"batch_predictor returned {count} predictions for {len(samples)} samples"
            )
        return predictions


def describe(error: BaseException) -> str:
    """Return `Type: message` for an exception, whose `__str__` may be empty or raise."""
    try:
        message = str(error)
    except BaseException:  # noqa: BLE001 - __str__ is the user's code, too
        message = "its message cannot be shown"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def load_model(bundle: Bundle) -> Model:
    """Change to the notebook's folder and unpickle the model. Raises BundleError.

    This changes the working directory and `sys.path` of the process because the user's
    code depends on them: a process has one model at a time, see `unload_model`.
    """
    try:
        os.chdir(bundle.working_directory)
    except OSError as error:
        raise BundleError(f"cannot change to {bundle.working_directory}: {error}") from error
    for folder in bundle.import_folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    return unpickle_model(bundle.path, pipeline=bundle.is_pipeline)


def unload_model(bundle: Bundle) -> None:
    """Unload the modules and classes of a bundle, so that another bundle can be loaded."""
    folders = {str(folder) for folder in bundle.import_folders}
    sys.path[:] = [folder for folder in sys.path if folder not in folders]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_relative_to(bundle.path / "src"):
            del sys.modules[name]
    # Classes of the notebook's next version have the same ids and would not be recreated.
    cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.clear()


def unpickle_model(path: Path, *, pipeline: bool) -> Model:
    """Unpickle the model of the bundle at `path`, without other changes. Raises BundleError."""
    try:
        return _load_pipeline(path) if pipeline else _load_functions(path)
    except FAILURES as error:
        if by_name := BY_NAME.match(str(error)):
            raise BundleError(
                f"`{by_name[1]}` is pickled by its name, and only the notebook knows that name"
            ) from error
        raise BundleError(describe(error)) from error


def _load_functions(path: Path) -> Model:
    """Load (validator, predictor) or (validator, predictor, batch_predictor)."""
    with (path / "model.pickle").open("rb") as file:
        validator, predictor, *batch = cloudpickle.load(file)
    return Model(predictor, validator, batch[0] if batch else None)


def _load_pipeline(path: Path) -> Model:
    """Load the stages into a pipeline, which predicts lists of samples."""
    from sklearn.pipeline import Pipeline

    stages = []
    for notebook, name in json.loads((path / "stages.json").read_text(encoding="utf-8")):
        check_inside(path, name)
        with (path / name).open("rb") as file:
            stages.append((notebook, cloudpickle.load(file)))
    pipeline = Pipeline(stages)
    return Model(
        predictor=lambda sample: pipeline.predict([sample])[0],
        batch_predictor=pipeline.predict,
        listwise=True,
    )
