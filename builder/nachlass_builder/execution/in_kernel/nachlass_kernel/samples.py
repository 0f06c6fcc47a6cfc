"""Reads the notebook's samples as they would arrive in JSON. Notebook's kernel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import __main__
from nachlass_kernel.failure import CaptureFailure, type_name
from nachlass_service.base.errors import UnserialisableError
from nachlass_service.bundle.jsonable import by_position, dumps

USUAL_NAME = "samples"


@dataclass(frozen=True)
class Samples:
    """The samples to score, their indices in the variable, and the variable's length.

    `absent` says why there are none; `index` names the index of a frame or series, which is not
    part of a sample.
    """

    entries: list[Any]
    numbers: list[int]
    total: int = 0
    absent: str | None = None
    index: str | None = None

    def write(self, path: Path) -> None:
        """Keep the samples of a pipeline's notebook until the pipeline can score them."""
        path.write_text(dumps(vars(self)), encoding="utf-8")

    @classmethod
    def take(cls, path: Path) -> Samples:
        """Read the file of `write`, and remove it."""
        kept = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        return cls(**kept)


def read_samples(name: str | None, limit: int) -> Samples:
    """Return the samples in the variable `name`, at most `limit` of them, evenly spaced.

    None stands for no samples. Raise CaptureFailure for a variable that is not a list of JSON
    values.
    """
    if name is None:
        return Samples([], [], absent="S2I_SAMPLES is empty")
    value = getattr(__main__, name, None)
    if value is None:
        how = "is None" if hasattr(__main__, name) else "is not defined"
        if name != USUAL_NAME:
            message = f"S2I_SAMPLES names `{name}`, which {how}"
            raise CaptureFailure("no_samples", message, name=name)
        return Samples([], [], absent=f"`{name}` {how}")
    is_list = isinstance(value, list | tuple)
    everything = value if is_list else _delivered(name, value)
    total = len(everything)
    if not total:
        return Samples([], [], absent=f"`{name}` is empty")
    numbers = _spaced(total, limit)
    if is_list:  # convert only the chosen entries
        entries = [_delivered_entry(name, number, value[number]) for number in numbers]
    else:
        entries = [everything[number] for number in numbers]
    return Samples(entries, numbers, total, index=_informative_index(value))


def _spaced(total: int, limit: int) -> list[int]:
    """Return the indices of at most `limit` entries, evenly spaced."""
    count = min(total, limit)
    return [number * total // count for number in range(count)]


def _delivered_entry(name: str, number: int, entry: Any) -> Any:
    """Return an entry of a list as it arrives in a request."""
    try:
        return json.loads(dumps(entry))
    except UnserialisableError as error:
        message = f"entry {number} of `{name}` is not a valid sample: {error}"
        raise CaptureFailure("samples", message, name=name) from None


def _delivered(name: str, value: Any) -> list[Any]:
    """Return the entries of an array, frame or series as they arrive in requests."""
    not_a_list = f"`{name}` is {type_name(value)}, not a list of samples"
    if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__len__"):
        raise CaptureFailure("samples", not_a_list, name=name)
    try:
        delivered = json.loads(dumps(by_position(value)))
    except UnserialisableError as error:
        raise CaptureFailure("samples", f"`{name}` cannot be read: {error}", name=name) from None
    if not isinstance(delivered, list):
        raise CaptureFailure("samples", not_a_list, name=name)
    return delivered


def _informative_index(value: Any) -> str | None:
    """Return the name of a frame's or series' index, if it is more than row numbers."""
    index = getattr(value, "index", None)
    if by_position(value) is value or index is None:
        return None
    names = [str(name) for name in index.names if name is not None]
    is_counting = index.nlevels == 1 and index.dtype.kind in "iu"
    return None if is_counting and not names else ", ".join(names) or type(index).__name__
