"""`nachlass diff`: what two bundles differ in."""

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
    help="For a terminal, a pull request or a program. [default: text]",
)
@click.option("--exit-code", is_flag=True, help=f"End with {DIFFERS} if anything differs.")
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
    """Say what two bundles differ in: code, data, packages, predictions.

    OLD and NEW are bundles, or what `build` takes, which is built if it
    changed. The new model answers the samples of the old one.
    """
    from nachlass_builder.diff.diff import diff as run_diff
    from nachlass_builder.diff.markdown import as_markdown
    from nachlass_builder.diff.text import as_text

    found = run_diff(*(request_for(source, context_dir, assignments) for source in (old, new)))
    show = {"text": as_text, "markdown": as_markdown, "json": type(found).as_json}[form]
    click.echo(show(found))
    if exit_code and not found.identical:
        sys.exit(DIFFERS)
