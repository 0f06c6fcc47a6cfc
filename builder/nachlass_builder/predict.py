"""Asks a bundle for one prediction, in the model's environment. Builder environment."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nachlass_builder.errors import PredictionError
from nachlass_builder.model import ready_model
from nachlass_builder.process import Deadline
from nachlass_builder.proof import ask_service

REMEDIES = {
    "not_json": "give one sample as strict JSON, such as '[0.3, 0.7]'",
    "refused": "the notebook's validator decides what a sample is",
}


def predict(source: str, text: str, context_dir: str | None, assignments: Mapping[str, str]) -> str:
    """The prediction for one sample, as a line of JSON; raises PredictionError.

    `source` is a bundle, or a source, which is built if it changed.
    """
    model = ready_model(source, context_dir, assignments)
    with tempfile.TemporaryDirectory(prefix="nachlass-") as work:
        answer, said = ask_service(
            model.python,
            "predict",
            model.bundle,
            work=Path(work),
            environment=model.environment,
            deadline=Deadline(),
            stdin=text,
        )
    if "error" in answer:
        error = answer["error"]
        details = error["traceback"] if error["code"] not in REMEDIES else None
        remedy = error["remedy"] or REMEDIES.get(error["code"])
        message = error["message"]
        if error["code"] == "not_json":
            message = f"the sample is not JSON: {message}"
        raise PredictionError(message, details=details, remedy=remedy)
    sys.stderr.write(said)
    return _line(answer["prediction"])


def _line(value: object) -> str:
    """A value as one line of JSON; lone surrogates only exist as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)
