"""`nachlass image`: builds a container image without s2i."""

from __future__ import annotations

import re
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

_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
TAG = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?")
"""A name to give to an image: https://github.com/distribution/reference."""


class Tag(click.ParamType):  # type: ignore[type-arg]  # click 8.2's is not generic
    """The name of a new image."""

    name = "tag"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, which an engine would refuse only at the end of the build."""
        if not TAG.fullmatch(value):
            self.fail(f"{value!r} is not an image name such as models/kmeans:1.0", param, ctx)
        return value


@click.command(help=f"Build a container image without s2i.\n\n{SOURCE_HELP}")
@click.argument("source", shell_complete=complete_files)
@click.option("-t", "--tag", required=True, type=Tag(), help="The image's name and tag.")
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
