"""`nachlass doctor`: check that builds can work on this machine."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nachlass_builder.doctor.check import Check

COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="For a terminal or a program. [default: text]",
)
def doctor(form: str) -> None:
    """Check what a build needs: tools, package indexes, caches.

    Ends with 0 if a build can work, else with the exit code that the build
    would have: 3 without git, 5 if a package index does not answer, 15 if the
    cache cannot be written.
    """
    from nachlass_builder.doctor.check import exit_code
    from nachlass_builder.doctor.doctor import run_checks
    from nachlass_builder.foundation.credentials import redact

    checks = run_checks(os.environ)
    code = exit_code(checks)
    if form == "json":
        data = {"checks": [check.as_data() for check in checks], "exit_code": code}
        click.echo(json.dumps(data, indent=2))
    else:
        for check in checks:
            click.echo(redact(_line(check), ()))
    sys.exit(code)


def _line(check: Check) -> str:
    """Return a check as a line, followed by its remedy."""
    mark = click.style(f"{check.state:7}", fg=COLOURS[check.state])
    line = f"{mark}  {check.name:12}  {check.message}"
    return f"{line}\n{'':23}help: {check.remedy}" if check.remedy else line
