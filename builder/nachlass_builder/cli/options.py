"""Options and words that several commands share."""

from __future__ import annotations

import click

SOURCE_HELP = """\
SOURCE is a folder, a notebook file or a git URL; `URL#REF` means a branch,
a tag or a commit."""

assignments_option = click.option(
    "-e",
    "assignments",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set a variable for the build and its notebook; may be repeated.",
)
context_option = click.option(
    "--context-dir", metavar="FOLDER", help="The sub-folder of SOURCE to take for the whole."
)
