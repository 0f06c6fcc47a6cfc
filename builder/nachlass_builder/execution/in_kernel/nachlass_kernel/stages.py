"""Checks the stages that a pipeline's notebooks saved. Notebook's kernel."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, TypedDict

from nachlass_kernel.failure import CaptureFailure, type_name
from nachlass_service.base.errors import BundleError
from nachlass_service.bundle.model import Model, unpickle_model


class Pickle(TypedDict):
    """The properties of the pickle."""

    pickle_bytes: int
    validator: bool
    holds_build_path: bool


class _StageReader(pickle.Unpickler):
    """Reads a stage as a process without the notebook would."""

    def find_class(self, module: str, name: str) -> Any:
        """Reject names that only this kernel defines."""
        if module == "__main__":
            raise CaptureFailure(
                "stage",
                f"does not load outside the notebook: `{name}` is pickled by name, "
                "and only the notebook defines that name",
                remedy="save it with cloudpickle, which pickles the notebook's own definitions",
            )
        return super().find_class(module, name)


def check_stage(path: Path, *, last: bool) -> None:
    """Raise for a stage that a pipeline cannot use."""
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
            f"is {type_name(stage)}, not a fitted scikit-learn estimator",
            remedy="save a transformer, or a model as the last stage",
        )


def weigh_stages(output: Path, stages: list[tuple[str, str]]) -> Pickle:
    """Return the size and properties of the stages, which the builder knows to exist."""
    size = sum((output / file).stat().st_size for _, file in stages)
    return {
        "pickle_bytes": size,
        "validator": False,
        "holds_build_path": any(
            os.fsencode(Path.cwd()) in (output / file).read_bytes() for _, file in stages
        ),
    }


def load_stages(output: Path) -> Model:
    """Load the pipeline like the service."""
    try:
        return unpickle_model(output, pipeline=True)
    except BundleError as error:
        raise CaptureFailure("stages", str(error)) from error
