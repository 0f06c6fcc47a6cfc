"""The command `serve`: checks its settings, then runs the server."""

from __future__ import annotations

import argparse
import io
import os
import signal
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nachlass_service.base.errors import SettingError
from nachlass_service.base.settings import Settings, unquote

if TYPE_CHECKING:
    from nachlass_service.hosting.snapshot import Snapshots

CANNOT_SERVE = 11
"""The exit code when the service cannot start; `nachlass` uses the same."""


def serve(arguments: argparse.Namespace) -> None:
    """Serve a bundle in the foreground until a signal ends it; raises ServiceError."""
    options = {
        "HOST": arguments.host,
        "PORT": arguments.port,
        "WEB_CONCURRENCY": arguments.workers,
    }
    flags = {name: value for name, value in options.items() if value is not None}
    settings = Settings.from_environ({**os.environ, **flags})
    # s2i keeps the quotes around a variable's value.
    if arguments_given := unquote(os.environ.get("GUNICORN_CMD_ARGS", "")).strip():
        os.environ["GUNICORN_CMD_ARGS"] = arguments_given
    # gunicorn reads this on import and fails on an invalid value.
    os.environ.pop("WEB_CONCURRENCY", None)

    from gunicorn.arbiter import Arbiter

    from nachlass_service.base import log
    from nachlass_service.hosting.in_use import hold
    from nachlass_service.hosting.server import Server
    from nachlass_service.hosting.snapshot import Snapshots

    for output in (sys.stdout, sys.stderr):  # show what a model prints without delay
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(line_buffering=True)
    log.set_up(settings.log_format)
    bundle = arguments.bundle.resolve()
    for folder in (Path(sys.prefix).parent, bundle.parent):
        hold(folder)
    snapshots = Snapshots(bundle, enabled=arguments.local)
    master = os.getpid()
    # gunicorn handles signals only once the model is loaded, and the first process of a
    # container ignores signals without a handler.
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: _end_early(snapshots))
    try:
        server = Server(settings, snapshots, flags, local=arguments.local)
        is_shared = server.cfg.reuse_port or {"LISTEN_FDS", "GUNICORN_FD"} & os.environ.keys()
        for address in server.cfg.address:
            if isinstance(address, tuple) and not is_shared:
                _check_address(*address[:2])
        server.run()
    except SystemExit as error:
        not_started = error.code in (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR)
        if not_started and os.getpid() == master:
            raise SystemExit(CANNOT_SERVE) from None
        raise
    finally:
        snapshots.keep_only(None)


def _end_early(snapshots: Snapshots) -> NoReturn:
    """Exit during startup, even while the model's code runs."""
    snapshots.keep_only(None)
    os._exit(0)


def _check_address(host: str, port: int) -> None:
    """Raise SettingError, before anything is loaded, for an address that cannot be bound."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _name, address = found[0]
        with closing(socket.socket(family, kind, protocol)) as test_socket:
            test_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            test_socket.bind(address)
    except (OSError, UnicodeError) as error:
        raise SettingError(
            f"cannot listen on {host}:{port}: {getattr(error, 'strerror', error)}; "
            "choose another address with --host, and --port or PORT"
        ) from error
