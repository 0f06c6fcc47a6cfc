"""The names that form the contract between notebooks and Nachlass."""

from __future__ import annotations

from nachlass_builder.foundation.settings import SAMPLES_VARIABLE

CONTRACT = (
    "predictor",
    "validator",
    "samples",
    "batch_predictor",
    "requirements",
    "serving_requirements",
)
SAVE_FILE = "S2I_PIPELINE_STAGE_SAVE_FILE"
NAME_SAMPLES = f"set {SAMPLES_VARIABLE} to a variable of the notebook, or leave it empty"


def one_argument(name: str) -> str:
    """Return the remedy for a function of the contract that does not take one argument."""
    if name == "batch_predictor":
        return "define batch_predictor(xs), which takes a list of samples"
    return f"define {name}(x), which takes one sample: a list or an object if it has many values"
