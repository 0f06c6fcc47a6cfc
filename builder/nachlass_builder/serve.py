"""Serves a model in the foreground, in its own environment. Builder environment."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from ipaddress import ip_address

from nachlass_builder.errors import ServeError
from nachlass_builder.model import ready_model

DEFAULT_PORT = 8080


def serve(
    source: str,
    context_dir: str | None,
    assignments: Mapping[str, str],
    *,
    host: str,
    port: int | None,
    workers: int | None,
) -> None:
    """Build what changed, then become the service; raises ServeError when the port is taken.

    The service is the process itself from then on: signals and the exit code
    are its own.
    """
    _check_port(host, port)
    model = ready_model(source, context_dir, assignments)
    # The environment, and not the bundle's link to it: a build may let it lead elsewhere.
    environment = (model.bundle / "venv").resolve() / "bin" / "python"
    python = environment if environment.exists() else model.python
    words = ["-P", "-m", "nachlass_service", "serve", str(model.bundle)]
    words += ["--host", host, "--snapshot"]
    words += [] if port is None else ["--port", str(port)]
    words += [] if workers is None else ["--workers", str(workers)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.chdir("/")
    # What holds training data is for whoever sits at this machine.
    show = "1" if _is_loopback(host) else "0"
    variables = {"S2I_SHOW_SAMPLES": show, **model.environment}
    os.execve(python, [str(python), *words], variables)  # noqa: S606 - there is no shell to want


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_port(host: str, port: int | None) -> None:
    """Find out before a long build that nobody can listen there."""
    number = os.environ.get("PORT", DEFAULT_PORT) if port is None else port
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM
        )[0]
        with closing(socket.socket(family, kind, protocol)) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        raise ServeError(
            f"{host}:{number} cannot be listened at: {error.strerror or error}",
            remedy="name another port with --port",
        ) from error
