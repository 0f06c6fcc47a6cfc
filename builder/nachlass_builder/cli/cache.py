"""`nachlass cache`: show and prune the cache."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import click

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
UV_PRUNE = "uv cache prune"


class Duration(click.ParamType):  # type: ignore[type-arg]  # click 8.2's is not generic
    """A number with a unit, such as `30d`; 0 needs none."""

    name = "duration"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        found = re.fullmatch(r"(\d{1,6})([smhdw])|0", value)
        if not found:
            self.fail(f"{value!r} is not a duration such as 30d, 12h or 0", param, ctx)
        return int(found[1]) * SECONDS[found[2]] if found[1] else 0


format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="For a terminal or a program. [default: text]",
)


@click.group(invoke_without_command=True)
@click.pass_context
def cache(context: click.Context) -> None:
    """Show or prune the cache of environments.

    Without a command it shows the size, as `nachlass cache size` does.
    """
    if context.invoked_subcommand is None:
        context.invoke(size, form="text")


@cache.command()
@format_option
def size(form: str) -> None:
    """Show the folder of the cache, and the size of what it contains."""
    from nachlass_builder.assemble.cache_size import cache_size
    from nachlass_builder.packages.uv_program import uv_cache_folder

    found, uv = cache_size(_folder()), uv_cache_folder(os.environ)
    if form == "json":
        data = {**found.as_data(), "uv": {"folder": uv and str(uv), "prune": UV_PRUNE}}
        click.echo(json.dumps(data, indent=2))
        return
    click.echo(found.as_text())
    click.echo(f"uv's own cache, not included: {uv or 'unknown'} (to prune it: {UV_PRUNE})")


@cache.command()
@click.option(
    "--unused-for",
    "unused_s",
    type=Duration(),
    default="30d",
    show_default=True,
    metavar="DURATION",
    help="Remove entries not used for this long: `30d`, `12h`; `0` removes all that is not in use.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed without removing it.")
@format_option
def prune(unused_s: float, form: str, *, dry_run: bool) -> None:
    """Remove environments and other entries not used for a while.

    An environment that a running build or service uses stays. The next build
    makes what is missing again.
    """
    from nachlass_builder.assemble.cache_prune import prune as run_prune

    pruned = run_prune(_folder(), unused_s, dry_run=dry_run)
    click.echo(json.dumps(pruned.as_data(), indent=2) if form == "json" else str(pruned))


def _folder() -> Path:
    """The folder of the cache."""
    from nachlass_builder.foundation.settings import Settings

    return Settings.from_environ(os.environ, {}).cache
