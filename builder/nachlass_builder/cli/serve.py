"""`nachlass serve`: serves a model in the foreground, in the model's environment."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import closing

import click

from nachlass_builder.cli.options import (
    SOURCE_HELP,
    assignments_option,
    complete_files,
    context_option,
    request_for,
)
from nachlass_builder.foundation.errors import ServeError
from nachlass_builder.foundation.in_use import hold_across_exec
from nachlass_builder.foundation.settings import unquote

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080


@click.command(help=f"Build the source if it changed, and serve until Ctrl-C.\n\n{SOURCE_HELP}")
@click.argument("source", metavar="SOURCE|BUNDLE", shell_complete=complete_files)
@click.option("--host", help="The address to listen on. [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The port to listen on. [default: PORT, or 8080]"
)
@click.option(
    "--workers",
    type=click.IntRange(1, 128),
    help="The number of worker processes. [default: as cores and memory allow]",
)
@context_option
@assignments_option
def serve(
    source: str,
    host: str | None,
    port: int | None,
    workers: int | None,
    context_dir: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Build the source if it changed, then become the service.

    The service replaces this process, and so receives its signals and sets its
    exit code. Raises ServeError if the port is in use.
    """
    from nachlass_builder.assemble.ready_model import ready_model

    request = request_for(source, context_dir, assignments)
    _check_port(host, port, {**request.environ, **request.assignments})
    model = ready_model(request)
    words = ["-P", "-m", "nachlass_service", "serve", str(model.bundle), "--local"]
    flags = {"--host": host, "--port": port, "--workers": workers}
    for name, value in flags.items():
        words += [] if value is None else [name, str(value)]
    hold_across_exec(model.folder)
    hold_across_exec(model.bundle.parent)  # which is in the cache for a git URL
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(model.python, [str(model.python), *words], dict(model.environment))  # noqa: S606 - no shell here


def _check_port(host: str | None, port: int | None, environ: Mapping[str, str]) -> None:
    """Check before a long build that the service can listen on the address."""
    if environ.get("GUNICORN_CMD_ARGS"):  # it may set another address
        return
    host = host or DEFAULT_HOST
    number = str(port or unquote(environ.get("PORT", "")).strip() or DEFAULT_PORT)
    try:
        found = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)
        family, kind, protocol, _name, address = found[0]
    except (OSError, UnicodeError):
        raise ServeError(
            f"{host}:{number} is not a valid address",
            remedy="correct --host, or --port or PORT",
        ) from None
    try:
        with closing(socket.socket(family, kind, protocol)) as test_socket:
            test_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            test_socket.bind(address)
    except OSError as error:
        raise ServeError(
            f"cannot listen on {host}:{number}: {error.strerror or error}",
            remedy="choose another port with --port, or another address with --host",
        ) from error
