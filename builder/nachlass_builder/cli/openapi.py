"""`nachlass openapi`: prints the OpenAPI document of a service without starting it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from nachlass_builder.cli.options import (
    SOURCE_HELP,
    assignments_option,
    complete_files,
    context_option,
    request_for,
)
from nachlass_builder.foundation.errors import ServeError, SourceError


@click.command(help=f"Print the OpenAPI document of the service.\n\n{SOURCE_HELP}")
@click.argument("source", metavar="SOURCE|BUNDLE", shell_complete=complete_files)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write the document to. [default: standard output]",
)
@context_option
@assignments_option
def openapi(
    source: str, output: Path | None, context_dir: str | None, assignments: tuple[str, ...]
) -> None:
    """Print what the service answers at /openapi.json with the same settings."""
    from nachlass_builder.assemble.ready_model import ready_model
    from nachlass_builder.foundation.process import Deadline
    from nachlass_builder.proof.answer import Described, Failure
    from nachlass_builder.proof.proof import run_service

    model = ready_model(request_for(source, context_dir, assignments))
    with tempfile.TemporaryDirectory(prefix="nachlass-") as work:
        answer, _said = run_service(
            model.python,
            "openapi",
            model.bundle,
            Described,
            work=Path(work),
            environment=model.environment,
            deadline=Deadline(),
        )
    if isinstance(answer, Failure):
        raise ServeError(answer.message, details=answer.traceback, remedy=answer.remedy)
    if output is None:
        click.echo(answer.text.encode("utf-8"), nl=False)
        return
    try:
        output.write_text(answer.text, encoding="utf-8")
    except OSError as error:
        raise SourceError(
            f"{output} cannot be written: {error.strerror}", remedy="name another file with -o"
        ) from error
