"""`nachlass image`: builds a container image without s2i."""

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


@click.command(help=f"Build a container image without s2i.\n\n{SOURCE_HELP}")
@click.argument("source", shell_complete=complete_files)
@click.option("-t", "--tag", required=True, help="The image's name and tag.")
@click.option("--builder", metavar="IMAGE", help="The builder image. [default: built once]")
@click.option(
    "--base", metavar="IMAGE", help="The base image. [default: the Python image on Debian 13]"
)
@click.option(
    "--secret",
    "secrets",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file to mount during the build: pip.conf, .netrc, ca.crt, id_*; may be repeated.",
)
@click.option(
    "--volume",
    "volumes",
    metavar="HOST:PLACE",
    multiple=True,
    help="A folder to mount during the build, such as training data; may be repeated.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Rebuild even if nothing changed, and re-resolve the requirements.",
)
@click.option("--push", is_flag=True, help="Push the image and print its name with its digest.")
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
    """Build a container image without s2i."""
    from nachlass_builder.image.image import ImageRequest, build_image

    request = replace(request_for(source, context_dir, assignments), force=force)
    image_request = ImageRequest(request, tag, builder, base, push, secrets, volumes)
    click.echo(build_image(image_request, Progress()))
