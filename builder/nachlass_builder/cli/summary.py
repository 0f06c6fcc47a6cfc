"""Prints the results of a check, for people and for pip."""

from __future__ import annotations

import click

from nachlass_builder.foundation.credentials import public_url, redact
from nachlass_builder.requirements.check import Checked
from nachlass_builder.requirements.requirement import Requirement


def print_checked(checked: Checked) -> None:
    """Print the notebook, the contract, and the requirements with their places."""
    chosen = checked.chosen
    for notebook in chosen.notebooks:
        click.echo(f"notebook      {notebook.name}: {len(notebook.cells)} cells")
    click.echo(f"chosen by     {chosen.reason}")
    click.echo(f"contract      {chosen.contract}")
    for name, place in checked.contract():
        click.echo(f"  {name:15s} {place}")
    requirements = checked.requirements
    click.echo(f"requirements  {len(requirements.merged)}")
    for requirement in requirements.merged:
        click.echo(f"  {redact(requirement.text, ()):30s}  {requirement.place}")
    for notebook, declared in requirements.computed:
        cells = ", ".join(str(cell.number) for cell in declared.computed_in)
        click.echo(f"  computed, known only at build  {notebook.name}, cell {cells}")
    for warning in checked.warnings:
        click.echo(f"warning: {redact(warning, ())}", err=True)


def print_requirements(checked: Checked) -> None:
    """Print the merged requirements as a requirements file."""
    for option in _paired(checked.requirements.options):
        click.echo(public_url(option))
    for requirement in checked.requirements.merged:
        hashes = "".join(f" --hash={digest}" for digest in _digests(requirement, checked))
        click.echo(f"{public_url(requirement.text)}{hashes}  # {requirement.place}")
    for notebook, _declared in checked.requirements.computed:
        click.echo(f"# {notebook.name}: computed, known only at build")


def _digests(requirement: Requirement, checked: Checked) -> list[str]:
    """Return the hashes that every repetition of a requirement allows."""
    same = [
        {*hashed.digests}
        for hashed in checked.requirements.hashes
        if str(hashed.requirement.parsed) == str(requirement.parsed)
    ]
    return sorted(set.intersection(*same)) if same else []


def _paired(words: list[str]) -> list[str]:
    """Return options with their values, one per line."""
    lines: list[str] = []
    for word in words:
        if word.startswith("-") or not lines:
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return lines
