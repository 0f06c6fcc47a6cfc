"""`nachlass predict`: one prediction, of a bundle in the model's environment or of a service."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nachlass_builder.cli.options import assignments_option, context_option, request_for
from nachlass_builder.foundation.errors import PredictionError

if TYPE_CHECKING:
    from nachlass_builder.source.prepare import Request

REMEDIES = {
    "not_json": "give one sample as strict JSON, such as '[0.3, 0.7]'",
    "refused": "the notebook's validator decides what a sample is",
}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, metavar="[SOURCE|BUNDLE] JSON")
@click.option("--url", metavar="URL", help="Ask the running service there instead of a SOURCE.")
@context_option
@assignments_option
def predict(
    words: tuple[str, ...], url: str | None, context_dir: str | None, assignments: tuple[str, ...]
) -> None:
    """Ask for one prediction, as the service would answer it.

    SOURCE is what `build` takes, and is built if it changed; or a bundle; or
    left out, with --url. JSON is one sample; `-` reads it from standard input.
    """
    from nachlass_builder.cli.remote import predict_at

    expected = ["JSON"] if url else ["SOURCE", "JSON"]
    if len(words) != len(expected):
        raise click.UsageError(f"expected {' and '.join(expected)}, got {len(words)} arguments")
    text = words[-1]
    if text == "-":
        # As the argument's, these bytes reach the model as they are, whatever the locale.
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    if url:
        answer = predict_at(url if "://" in url else f"http://{url}", text)
    else:
        answer = _predict_here(request_for(words[0], context_dir, assignments), text)
    click.echo(answer.encode("utf-8"))


def _predict_here(request: Request, text: str) -> str:
    """The prediction for one sample, as a line of JSON; raises PredictionError.

    The request's source is a bundle, or a source, which is built if it changed.
    """
    from nachlass_builder.assemble.ready_model import ready_model
    from nachlass_builder.foundation.process import Deadline
    from nachlass_builder.proof.answer import Failure, Predicted
    from nachlass_builder.proof.proof import ask_service

    model = ready_model(request)
    with tempfile.TemporaryDirectory(prefix="nachlass-") as work:
        answer, said = ask_service(
            model.python,
            "predict",
            model.bundle,
            Predicted,
            work=Path(work),
            environment=model.environment,
            deadline=Deadline(),
            stdin=text,
        )
    if isinstance(answer, Failure):
        details = answer.traceback if answer.code not in REMEDIES else None
        remedy = answer.remedy or REMEDIES.get(answer.code)
        message = answer.message
        if answer.code == "not_json":
            message = f"the sample is not JSON: {message}"
        raise PredictionError(message, details=details, remedy=remedy)
    sys.stderr.write(said)
    return _line(answer.prediction)


def _line(value: object) -> str:
    """A value as one line of JSON; lone surrogates only exist as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)
