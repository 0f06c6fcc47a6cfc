"""Sends responses to the clients of a worker and logs them in the access log."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from itertools import count
from logging import ERROR
from typing import TYPE_CHECKING, Any

from nachlass_service.base import log
from nachlass_service.http.access_log import AccessLog
from nachlass_service.http.interfaces import Client
from nachlass_service.http.request import Request
from nachlass_service.http.responses import Heads, Response, defect_response
from nachlass_service.http.router import Route
from nachlass_service.http.scheme import Scheme
from nachlass_service.http.wsgi import environ_of
from nachlass_service.web.app import COUNTED
from nachlass_service.web.headers import MODEL_DIGEST, REQUEST_ID_FORM

if TYPE_CHECKING:
    from gunicorn.config import Config

PREDICTING = (Route.PREDICT.metric, Route.BATCH.metric)


class Responder:
    """Sends responses; with `is_draining`, each is the last one of its connection.

    Responses of /predict have the digest of the model in a header.
    """

    def __init__(
        self, cfg: Config, loop: asyncio.AbstractEventLoop, access_log: AccessLog, digest: str
    ) -> None:
        self.heads = Heads()
        self.access_log = access_log
        self.is_draining = False
        self.loop = loop
        self._model = f"{MODEL_DIGEST}: {digest}\r\n".encode()
        self._scheme = Scheme(cfg)
        self._ids = map(f"{secrets.token_hex(4)}{{:08x}}".format, count())

    def send(self, client: Client, request: Request, response: Response) -> None:
        """Answer a request; called in the loop's thread."""
        close = not request.keep_alive or self.is_draining
        self.access_log.note(client, request, response.status, len(response.body))
        only_head = request.method == b"HEAD"
        more = self._model if request.route in PREDICTING else b""
        text = self.heads.whole(response, close=close, only_head=only_head, more=more)
        client.answer(text, close=close)

    def post(self, work: Callable[[], None]) -> None:
        """Call `work` in the loop's thread, from another thread, unless the loop has ended."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(work)

    def defect_in(self, request: Request, error: BaseException) -> Response:
        """Log an unexpected exception, and return the response for it."""
        request_id = self.request_id(request)
        path = request.target.decode("latin-1")
        log.event("defect", level=ERROR, request=request_id, path=path, exc_info=error)
        return defect_response(request_id)

    def request_id(self, request: Request) -> str:
        """Return the id of a request: the client's, or a new one."""
        if not request.id:
            sent_id = request.header(b"x-request-id")
            request.id = sent_id if REQUEST_ID_FORM.fullmatch(sent_id) else next(self._ids)
        return request.id

    def environ(self, client: Client, request: Request) -> dict[str, Any]:
        """Return the WSGI environment of a request for the Flask application."""
        scheme = self._scheme.of(client, request)
        environ = environ_of(request, scheme=scheme, endpoints=client.endpoints)
        return environ | {COUNTED: True}
