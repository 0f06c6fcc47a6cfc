"""The command `serve`: checks what it was told, then runs the server. Model environment."""

from __future__ import annotations

import argparse
import os
import socket
from contextlib import closing

from nachlass_service.errors import SettingError
from nachlass_service.settings import Settings


def serve(arguments: argparse.Namespace) -> None:
    """Serve a bundle in the foreground until a signal ends it; raises ServiceError."""
    given = {"PORT": arguments.port, "WEB_CONCURRENCY": arguments.workers}
    flags = {name: value for name, value in given.items() if value is not None}
    settings = Settings.from_environ({**os.environ, **flags})
    # gunicorn reads this when it is imported, and cannot take a wrong one.
    os.environ.pop("WEB_CONCURRENCY", None)
    _check_address(arguments.host, settings.port)

    from nachlass_service import log
    from nachlass_service.server import Server
    from nachlass_service.snapshot import Snapshots

    log.set_up(settings.log_format)
    path = arguments.bundle.resolve()
    snapshots = Snapshots(path, wanted=arguments.snapshot)
    try:
        Server(settings, snapshots, host=arguments.host, flags=flags).run()
    finally:
        snapshots.keep_only(None)


def _check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be listened at, before anything is loaded."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _name, address = found[0]
        with closing(socket.socket(family, kind, protocol)) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        raise SettingError(
            f"{host}:{port} cannot be listened at: {error.strerror or error}; "
            "name another port with --port or PORT"
        ) from error
