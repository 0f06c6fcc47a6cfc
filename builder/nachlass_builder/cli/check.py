"""`nachlass check`: shows what would be built, without executing anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from nachlass_builder.cli.options import (
    SOURCE_HELP,
    assignments_option,
    complete_files,
    context_option,
    request_for,
)
from nachlass_builder.foundation.console import print_error
from nachlass_builder.foundation.progress import Progress

if TYPE_CHECKING:
    from nachlass_builder.requirements.check import Checked
    from nachlass_builder.source.prepare import Prepared


@click.command(help=f"Show what would be built, without executing anything.\n\n{SOURCE_HELP}")
@click.argument("source", shell_complete=complete_files)
@click.option(
    "--requirements", is_flag=True, help="Print only the requirements, as a requirements file."
)
@context_option
@assignments_option
def check(
    source: str, context_dir: str | None, assignments: tuple[str, ...], *, requirements: bool
) -> None:
    """Show what would be built, without executing anything."""
    from nachlass_builder.cli.summary import print_checked, print_requirements
    from nachlass_builder.requirements.check import check as run_check
    from nachlass_builder.source.prepare import prepared_source
    from nachlass_builder.source.source_files import files_of, why_left_out

    request = request_for(source, context_dir, assignments)
    with prepared_source(request, Progress(quiet=True)) as prepared:
        root = prepared.source.root
        files = files_of(prepared.source, prepared.deadline)
        checked = run_check(
            root,
            files.names,
            prepared.settings,
            prepared.source.notebook,
            lambda name: why_left_out(prepared.source, name, prepared.deadline),
        )
        missing = () if requirements else _missing(prepared, checked)
        checked = replace(checked, warnings=[*files.warnings, *checked.warnings, *missing])
        if requirements:
            print_requirements(checked)
        else:
            print_checked(checked)
    for error in checked.errors:
        print_error(error)
    if checked.errors:
        sys.exit(checked.errors[0].exit_code)


def _missing(prepared: Prepared, checked: Checked) -> Iterator[str]:
    """Yield a warning about imports that no requirement provides."""
    from nachlass_builder.assemble.choose_lock import LockChoice
    from nachlass_builder.assemble.missing_requirements import MissingRequirements

    with TemporaryDirectory(prefix="nachlass-") as work:
        root, quiet = prepared.source.root, Progress(quiet=True)
        choice = LockChoice(prepared, root, Path(work), checked.requirements, quiet)
        if warning := MissingRequirements(checked, choice, choice.indexes()).warning():
            yield warning
