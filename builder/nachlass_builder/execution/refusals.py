"""Says in sentences why there is nothing to serve."""

from __future__ import annotations

from nachlass_builder.execution.failing_samples import or_else
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
    """A failed capture as an error that names the cell."""
    name = refusal.name or "predictor"
    place = last_binding(notebook, name) or notebook.place()
    match refusal.code:
        case "unpicklable":
            return CaptureError(
                f"the {refusal.function} cannot be pickled: {refusal.type} is in its way",
                place=place,
                details=f"reached through: {refusal.path}\n{refusal.message}",
                remedy=(
                    f"let the {refusal.function} make or open that object when it is called, "
                    "or keep only plain data of it"
                ),
            )
        case "stages":
            return CaptureError(
                f"the saved stages do not load as a pipeline: {refusal.message}",
                place=notebook.place(),
                remedy="save each stage with cloudpickle, and only fitted scikit-learn estimators",
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
                remedy=f"let it be a list of inputs of `predictor`\n{or_else(name)}",
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
