"""pyarrow, which is optional: it is imported when the first batch asks for it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nachlass_service.base.errors import MalformedError, MediaTypeError

SAFE_VERSION = [14, 0, 1]
"""Before, reading a file could unpickle an extension type of its (CVE-2023-47248)."""
ADD_IT = "name it in the notebook's `requirements`, or in S2I_SERVING_REQUIREMENTS"
UNREADABLE = (ArithmeticError, LookupError, NotImplementedError, OSError, TypeError, ValueError)
"""What pyarrow raises: its exceptions are kinds of these."""


def pyarrow() -> Any:
    """The library; MediaTypeError when it is not there, or not safe."""
    try:
        found = importlib.import_module("pyarrow")
    except ImportError:
        raise MediaTypeError(f"the model's environment has no pyarrow: {ADD_IT}") from None
    if [int(part) for part in re.findall(r"\d+", found.__version__)[:3]] < SAFE_VERSION:
        raise MediaTypeError(
            f"pyarrow {found.__version__} may unpickle what a client sends: require 14.0.1 or later"
        )
    return found


def parquet() -> Any:
    """The part of pyarrow for Parquet; MediaTypeError as above."""
    pyarrow()
    return importlib.import_module("pyarrow.parquet")


def compute() -> Any:
    """The part of pyarrow for calculations, where `pyarrow` has been checked already."""
    return importlib.import_module("pyarrow.compute")


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Say as a MalformedError that pyarrow cannot read something."""
    try:
        yield
    except UNREADABLE as error:
        said = str(error).partition("\n")[0][:200]
        raise MalformedError(f"{what} cannot be read: {said}") from None
