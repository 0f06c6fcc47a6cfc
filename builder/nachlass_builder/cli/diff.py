"""`nachlass diff`: compares two bundles."""

from __future__ import annotations

import sys

import click

from nachlass_builder.cli.options import (
    assignments_option,
    complete_files,
    context_option,
    request_for,
)

DIFFERS = 14


@click.command()
@click.argument("old", shell_complete=complete_files)
@click.argument("new", shell_complete=complete_files)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    help="Format for a terminal, a pull request or a program. [default: text]",
)
@click.option("--exit-code", is_flag=True, help=f"Exit with {DIFFERS} if anything differs.")
@context_option
@assignments_option
def diff(
    old: str,
    new: str,
    form: str,
    context_dir: str | None,
    assignments: tuple[str, ...],
    *,
    exit_code: bool,
) -> None:
    """Compare two bundles: code, data, packages, predictions.

    OLD and NEW are bundles or sources; a source is built first if it changed.
    The new model predicts the samples of the old bundle.
    """
    from nachlass_builder.diff.diff import diff as run_diff
    from nachlass_builder.diff.markdown import as_markdown
    from nachlass_builder.diff.text import as_text

    found = run_diff(*(request_for(source, context_dir, assignments) for source in (old, new)))
    show = {"text": as_text, "markdown": as_markdown, "json": type(found).as_json}[form]
    click.echo(show(found))
    if exit_code and not found.identical:
        sys.exit(DIFFERS)
