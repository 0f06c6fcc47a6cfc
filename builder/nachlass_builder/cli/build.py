"""`nachlass build`: executes the notebook and writes a proven bundle."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import click

from nachlass_builder.cli.options import (
    SOURCE_HELP,
    assignments_option,
    complete_files,
    context_option,
    request_for,
)
from nachlass_builder.foundation.progress import Progress


@click.command(help=f"Execute the notebook and write a proven bundle.\n\n{SOURCE_HELP}")
@click.argument("source", shell_complete=complete_files)
@click.option(
    "-o",
    "--output",
    metavar="BUNDLE",
    type=click.Path(path_type=Path),
    help="The bundle's folder. [default: SOURCE/.nachlass/bundle]",
)
@click.option(
    "--force",
    is_flag=True,
    help="Rebuild even if nothing changed, and re-resolve the requirements.",
)
@click.option("--locked", is_flag=True, help="Install from the existing locks; resolve nothing.")
@click.option(
    "--compare",
    is_flag=True,
    help="With --locked: compare the predictions with those of the previous bundle.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print only warnings and errors.")
@context_option
@assignments_option
def build(
    source: str,
    output: Path | None,
    context_dir: str | None,
    assignments: tuple[str, ...],
    *,
    force: bool,
    locked: bool,
    compare: bool,
    quiet: bool,
) -> None:
    """Execute the notebook and write a proven bundle."""
    from nachlass_builder.assemble.build import build as run_build
    from nachlass_builder.proof.compare_words import difference, verdict

    if force and locked:
        raise click.UsageError(
            "--force re-resolves the requirements and --locked uses the existing locks: choose one"
        )
    if compare and not locked:
        raise click.UsageError("--compare requires --locked")
    base = request_for(source, context_dir, assignments)
    request = replace(base, output=output, force=force, locked=locked, compare=compare)
    built = run_build(request, Progress(quiet=quiet))
    click.echo(built.bundle)
    if not quiet:
        click.echo(f"to serve it: nachlass serve {shlex.quote(str(built.bundle))}", err=True)
    if built.comparison:
        if error := difference(built.comparison):
            raise error
        click.echo(f"the predictions are {verdict(built.comparison)}", err=True)
