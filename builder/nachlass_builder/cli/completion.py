"""`nachlass completion`: print a shell's completion script."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

PROGRAM = "nachlass"
SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  nachlass completion bash > ~/.local/share/bash-completion/completions/nachlass
    zsh:   nachlass completion zsh > FOLDER/_nachlass, for a FOLDER of $fpath
    fish:  nachlass completion fish > ~/.config/fish/completions/nachlass.fish
    """  # noqa: D301 - click's \b
    found = SHELLS[shell](context.find_root().command, {}, PROGRAM, "_NACHLASS_COMPLETE")
    # Not source(), which starts bash to see how old it is.
    click.echo(found.source_template % found.source_vars())
