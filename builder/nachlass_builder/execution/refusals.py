"""Turns a failed capture into an error message."""

from __future__ import annotations

from nachlass_builder.execution.failing_samples import other_samples_remedy
from nachlass_builder.execution.outcome import Refusal
from nachlass_builder.foundation.errors import (
    CaptureError,
    NachlassError,
    NotebookError,
    ProofError,
)
from nachlass_builder.notebook.contract import NAME_SAMPLES, one_argument
from nachlass_builder.notebook.find_names import last_binding, last_change
from nachlass_builder.notebook.notebook import Notebook
from nachlass_builder.notebook.suggest import define_predictor


def explained(refusal: Refusal, notebook: Notebook) -> NachlassError:
    """Return the error for a failed capture, with the cell's place."""
    name = refusal.name or "predictor"
    place = last_binding(notebook, name) or notebook.place()
    match refusal.code:
        case "unpicklable":
            return CaptureError(
                f"the {refusal.function} cannot be pickled: it refers to an object of type "
                f"{refusal.type}",
                place=place,
                details=f"reached through: {refusal.path}\n{refusal.message}",
                remedy=(
                    f"create or open that object inside the {refusal.function}, "
                    "or keep only its plain data"
                ),
            )
        case "stages":
            return CaptureError(
                f"the saved stages do not load as a pipeline: {refusal.message}",
                place=notebook.place(),
                remedy="save only fitted scikit-learn estimators, each with cloudpickle",
            )
        case "stage":
            return CaptureError(
                f"the saved stage {refusal.message}",
                place=notebook.place(),
                remedy=refusal.remedy,
            )
        case "samples":
            return ProofError(
                refusal.message,
                place=place,
                remedy=f"make it a list of inputs for `predictor`\n{other_samples_remedy(name)}",
            )
        case "no_samples":
            return NotebookError(refusal.message, place=place, remedy=NAME_SAMPLES)
        case "arguments":
            return NotebookError(refusal.message, place=place, remedy=one_argument(name))
        case "no_predictor":
            return CaptureError(
                refusal.message,
                place=last_change(notebook, "predictor") or notebook.place(),
                remedy=define_predictor(notebook),
            )
    return CaptureError(refusal.message, place=place, remedy=f"define {name} with def {name}(x)")
