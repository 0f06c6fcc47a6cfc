"""Imports pyarrow, which is optional, when a batch first needs it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nachlass_service.base.errors import MalformedError, MediaTypeError

SAFE_VERSION = [14, 0, 1]
"""In earlier versions, reading a file could unpickle an extension type (CVE-2023-47248)."""
PYARROW_REMEDY = "add it to the notebook's `requirements`, or to S2I_SERVING_REQUIREMENTS"
UNREADABLE = (ArithmeticError, LookupError, NotImplementedError, OSError, TypeError, ValueError)
"""The base classes of pyarrow's exceptions."""


def pyarrow() -> Any:
    """Import the library; raises MediaTypeError if it is not installed or not safe."""
    try:
        found = importlib.import_module("pyarrow")
    except ImportError:
        raise MediaTypeError(f"the model's environment has no pyarrow: {PYARROW_REMEDY}") from None
    if [int(part) for part in re.findall(r"\d+", found.__version__)[:3]] < SAFE_VERSION:
        raise MediaTypeError(
            f"pyarrow {found.__version__} may unpickle client data: require 14.0.1 or later"
        )
    return found


def parquet() -> Any:
    """Import pyarrow.parquet; raises MediaTypeError like `pyarrow`."""
    pyarrow()
    return importlib.import_module("pyarrow.parquet")


def compute() -> Any:
    """Import pyarrow.compute; the caller has checked `pyarrow`."""
    return importlib.import_module("pyarrow.compute")


@contextmanager
def readable(subject: str) -> Iterator[None]:
    """Turn exceptions of pyarrow into a MalformedError."""
    try:
        yield
    except UNREADABLE as error:
        message = str(error).partition("\n")[0][:200]
        raise MalformedError(f"{subject} cannot be read: {message}") from None
