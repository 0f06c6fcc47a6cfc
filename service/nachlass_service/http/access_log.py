"""Writes gunicorn's access log and counts the requests of a worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from nachlass_service.http.interfaces import Client
from nachlass_service.http.request import Request
from nachlass_service.http.responses import REASONS
from nachlass_service.http.wsgi import environ_of
from nachlass_service.metrics.metrics import Metrics

if TYPE_CHECKING:
    from gunicorn.config import Config
    from gunicorn.glogging import Logger


class AccessLog:
    """Counts and logs each response; `replace_worker` is called after gunicorn's `max_requests`."""

    def __init__(
        self,
        cfg: Config,
        logger: Logger,
        metrics: Metrics,
        max_requests: int,
        replace_worker: Callable[[str], None],
    ) -> None:
        self._metrics = metrics
        self._logger = logger if cfg.accesslog or cfg.logconfig else None
        self._left, self._replace_worker = max_requests, replace_worker

    def note(self, client: Client, request: Request, status: int, sent: int) -> None:
        """Note the end of a request, and of its response if the client is still connected."""
        self._metrics.end(request.route, status if client.is_open else None)
        if not client.is_open:
            return
        if self._logger:
            self._write(self._logger, client, request, status, sent)
        self._left -= 1
        if self._left == 0:
            self._replace_worker("max_requests")

    def _write(
        self, logger: Logger, client: Client, request: Request, status: int, sent: int
    ) -> None:
        now = time.monotonic()
        seconds = now - (request.arrived_at or now)
        endpoints = client.endpoints
        scheme = "https" if endpoints.is_encrypted else "http"
        environ = environ_of(request, scheme=scheme, endpoints=endpoints)
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in request.headers]
        reason = REASONS.get(status, b"").decode()
        sent_headers = [("X-Request-Id", request.id)]
        response: Any = SimpleNamespace(
            status=f"{status} {reason}", sent=sent, headers=sent_headers
        )
        logged_request: Any = SimpleNamespace(headers=headers)
        logger.access(response, logged_request, environ, timedelta(seconds=seconds))
