"""`nachlass predict`: predicts one sample, with a bundle's model or a running service."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nachlass_builder.cli.options import (
    assignments_option,
    complete_files,
    context_option,
    request_for,
)
from nachlass_builder.foundation.errors import PredictionError
from nachlass_builder.foundation.progress import counted

if TYPE_CHECKING:
    from nachlass_builder.source.prepare import Request

VALIDATOR = "the notebook's validator decides which samples are valid"
MAX_EXAMPLE_LENGTH = 200
"""Characters of an example sample in a message."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument(
    "words", nargs=-1, required=True, metavar="[SOURCE|BUNDLE] JSON", shell_complete=complete_files
)
@click.option("--url", metavar="URL", help="Use the service at URL instead of a SOURCE.")
@context_option
@assignments_option
def predict(
    words: tuple[str, ...], url: str | None, context_dir: str | None, assignments: tuple[str, ...]
) -> None:
    """Predict one sample, exactly as the service would.

    A SOURCE, as for `build`, is built first if it changed; a BUNDLE is used
    directly; with --url, give neither. JSON is one sample; `-` reads it from
    standard input.
    """
    from nachlass_builder.cli.remote import predict_at

    expected = ["JSON"] if url else ["SOURCE", "JSON"]
    if len(words) != len(expected):
        raise click.UsageError(
            f"expected {' and '.join(expected)}, got {counted(len(words), 'argument')}"
        )
    text = words[-1]
    if text == "-":
        # Like an argument's, these bytes reach the model unchanged in any locale.
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    if url:
        answer = predict_at(url if "://" in url else f"http://{url}", text)
    else:
        answer = _predict_here(request_for(words[0], context_dir, assignments), text)
    click.echo(answer.encode("utf-8"))


def _predict_here(request: Request, text: str) -> str:
    """Predict one sample and return a line of JSON; raises PredictionError.

    The request names a bundle, or a source, which is built if it changed.
    """
    from nachlass_builder.assemble.ready_model import ready_model
    from nachlass_builder.foundation.process import Deadline
    from nachlass_builder.proof.answer import Failure, Predicted
    from nachlass_builder.proof.proof import run_service

    try:
        json.loads(text)  # before a build, or the load of a large model
    except json.JSONDecodeError as error:
        raise _not_json(str(error), request) from None
    except (ValueError, RecursionError):
        pass  # the service reports these
    model = ready_model(request)
    with tempfile.TemporaryDirectory(prefix="nachlass-") as work:
        answer, output = run_service(
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
        if answer.code == "not_json":
            raise _not_json(answer.message, request)
        if answer.code == "refused":
            raise PredictionError(answer.message, remedy=VALIDATOR)
        raise PredictionError(answer.message, details=answer.traceback, remedy=answer.remedy)
    sys.stderr.write(output)
    return _line(answer.prediction)


def _not_json(message: str, request: Request) -> PredictionError:
    from nachlass_builder.bundle.manifest import read_manifest
    from nachlass_builder.source.source import WORK_FOLDER

    path = Path(request.source)
    manifest = read_manifest(path) or read_manifest(path / WORK_FOLDER / "bundle")
    example = _line(manifest.input.example) if manifest and manifest.samples.are_there else ""
    if not example or len(example) > MAX_EXAMPLE_LENGTH:
        example = "[0.3, 0.7]"
    return PredictionError(
        f"the sample is not JSON: {message}",
        remedy=f"give one sample as strict JSON, such as {shlex.quote(example)}",
    )


def _line(value: object) -> str:
    """Format a value as one line of JSON; lone surrogates are escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)
