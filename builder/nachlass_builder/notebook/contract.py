"""The names by which notebooks and Nachlass know each other."""

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
NAME_SAMPLES = f"let {SAMPLES_VARIABLE} name a variable of the notebook, or nothing"


def one_argument(name: str) -> str:
    """What to do about a function of the contract that takes anything but one argument."""
    if name == "batch_predictor":
        return "define batch_predictor(xs), which takes a list of samples"
    return f"define {name}(x), which takes one sample: a list or an object, if it has many values"
