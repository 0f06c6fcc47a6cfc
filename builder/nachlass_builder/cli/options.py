"""Options and help texts shared by commands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from nachlass_builder.foundation.settings import parse_assignments

if TYPE_CHECKING:
    from nachlass_builder.source.prepare import Request

SOURCE_HELP = """\
SOURCE is a folder, a notebook file or a git URL; `URL#REF` selects a branch,
tag or commit."""


def complete_files(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Have the shell complete files and folders."""
    return [CompletionItem(begun, type="file")]


def complete_folders(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Have the shell complete folders."""
    return [CompletionItem(begun, type="dir")]


assignments_option = click.option(
    "-e",
    "assignments",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set a variable for the build and its notebook; may be repeated.",
)
context_option = click.option(
    "--context-dir",
    metavar="FOLDER",
    shell_complete=complete_folders,
    help="The subfolder of SOURCE to use as the source.",
)


def request_for(source: str, context_dir: str | None, assignments: Sequence[str]) -> Request:
    """Build a request from the options and this process's environment; raises SourceError."""
    from nachlass_builder.source.prepare import Request

    variables = parse_assignments(assignments)
    return Request(source, os.environ, context_dir=context_dir, assignments=variables)
