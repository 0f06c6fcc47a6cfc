"""Looks at what the notebooks of a pipeline have saved. Notebook's kernel."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, TypedDict

from nachlass_kernel.failure import CaptureFailure, a
from nachlass_service.base.errors import BundleError
from nachlass_service.bundle.model import Model, unpickle_model


class Pickle(TypedDict):
    """What was pickled."""

    pickle_bytes: int
    validator: bool
    holds_build_path: bool


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


def check_stage(path: Path, *, last: bool) -> None:
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
            f"is {a(stage)}, not a fitted scikit-learn estimator",
            remedy="save a transformer, or a model as the last stage",
        )


def weigh_stages(output: Path, stages: list[tuple[str, str]]) -> Pickle:
    """What the stages weigh; that they exist the builder has seen."""
    size = sum((output / file).stat().st_size for _, file in stages)
    return {
        "pickle_bytes": size,
        "validator": False,
        "holds_build_path": any(
            os.fsencode(Path.cwd()) in (output / file).read_bytes() for _, file in stages
        ),
    }


def load_stages(output: Path) -> Model:
    """The pipeline, loaded as the service will."""
    try:
        return unpickle_model(output, pipeline=True)
    except BundleError as error:
        raise CaptureFailure("stages", str(error)) from error
