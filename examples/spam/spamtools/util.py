"""Reading parameters and saving fitted stages."""

import os
from pathlib import Path
from typing import TypeVar

import cloudpickle

T = TypeVar("T", str, int, float)


def get_param(name: str, default: T) -> T:
    """Read a parameter from the environment, as a value of its default's type."""
    return type(default)(os.environ.get(name, default))


def serialize_to(obj: object, default_filename: str) -> None:
    """Save a fitted stage to the file named by the build, or else under the default name."""
    path = Path(os.environ.get("S2I_PIPELINE_STAGE_SAVE_FILE", default_filename))
    path.write_bytes(cloudpickle.dumps(obj))
