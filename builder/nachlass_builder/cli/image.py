"""`nachlass image`: a container image, without s2i."""

from __future__ import annotations

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


@click.command(help=f"Build a container image, without s2i.\n\n{SOURCE_HELP}")
@click.argument("source", shell_complete=complete_files)
@click.option("-t", "--tag", required=True, help="What to call the image.")
@click.option("--builder", metavar="IMAGE", help="The builder image. [default: made once]")
@click.option(
    "--base", metavar="IMAGE", help="What images are based on. [default: Python's, of Debian 13]"
)
@click.option(
    "--secret",
    "secrets",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file for the build alone: pip.conf, .netrc, ca.crt, id_*; may be repeated.",
)
@click.option(
    "--volume",
    "volumes",
    metavar="HOST:PLACE",
    multiple=True,
    help="A folder for the build alone, training data for instance; may be repeated.",
)
@click.option("--force", is_flag=True, help="Build although nothing changed, and resolve anew.")
@click.option("--push", is_flag=True, help="Push the image, and print its name and digest.")
@context_option
@assignments_option
def image(
    source: str,
    tag: str,
    builder: str | None,
    base: str | None,
    secrets: tuple[Path, ...],
    volumes: tuple[str, ...],
    context_dir: str | None,
    assignments: tuple[str, ...],
    *,
    force: bool,
    push: bool,
) -> None:
    """Build a container image, without s2i."""
    from nachlass_builder.image.image import ImageRequest, build_image

    request = replace(request_for(source, context_dir, assignments), force=force)
    asked = ImageRequest(request, tag, builder, base, push, secrets, volumes)
    click.echo(build_image(asked, Progress()))
