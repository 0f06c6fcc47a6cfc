"""Answers batches with the Flask application, each in its own thread."""

from __future__ import annotations

import threading
from functools import partial
from logging import ERROR
from typing import Any

from nachlass_service.base import log
from nachlass_service.base.errors import OverloadedError
from nachlass_service.http.interfaces import Client
from nachlass_service.http.request import Request
from nachlass_service.http.responder import Responder
from nachlass_service.http.responses import lines_of, problem_response
from nachlass_service.http.streaming import ClientGoneError, Streamed
from nachlass_service.http.wsgi import WSGI, begin, end
from nachlass_service.scoring.scorer import Scorer

STREAMS = 64
"""The most batches in progress at once; each has a thread."""


class BatchHandler:
    """Answers batches while their bodies arrive."""

    def __init__(self, scorer: Scorer, application: WSGI, responder: Responder) -> None:
        self._scorer, self._application, self._responder = scorer, application, responder
        self._streams = 0

    def handle(self, client: Client, request: Request) -> None:
        """Start to answer a batch; called in the loop's thread."""
        if self._streams >= STREAMS:
            self._reject(client, request)
            return
        self._streams += 1
        stream = Streamed(self._responder.loop, client, request)
        environ = self._responder.environ(client, request)
        environ |= {"wsgi.input": stream, "wsgi.input_terminated": True}
        work = partial(self._answer, client, request, stream, environ)
        client.stream(stream)
        try:
            threading.Thread(target=work, name="batch", daemon=True).start()
        except RuntimeError as error:  # the system has no more threads
            log.event("defect", level=ERROR, exc_info=error)
            self._continue(client, request, stream, close=True)

    def _reject(self, client: Client, request: Request) -> None:
        error = OverloadedError(f"too many batches in progress (limit {STREAMS})", 1)
        request.keep_alive = False
        request_id = self._responder.request_id(request)
        self._scorer.reject(error, request_id)
        self._responder.send(client, request, problem_response(error, request_id))

    def _answer(
        self, client: Client, request: Request, stream: Streamed, environ: dict[str, Any]
    ) -> None:
        """Answer in this thread while the body arrives."""
        close = True
        try:
            status, headers, pieces = begin(self._application, environ)
            try:
                lines, length = lines_of(headers)
                chunked = length is None and not request.is_old
                if chunked:
                    lines += b"Transfer-Encoding: chunked\r\n"
                elif length is not None:
                    lines += b"Content-Length: %d\r\n" % length
                may_stay = (chunked or length is not None) and request.keep_alive
                may_stay = may_stay and not self._responder.is_draining
                head = self._responder.heads.head(status, lines, close=not may_stay)
                stream.send(status, head, pieces, chunked=chunked)
            finally:
                end(pieces)
            stream.discard_rest()
            close = not (may_stay and request.is_whole)
        except ClientGoneError:
            pass
        except BaseException as error:  # noqa: BLE001 - the client sees an incomplete response
            log.event("defect", level=ERROR, exc_info=error)
        self._responder.post(partial(self._continue, client, request, stream, close=close))

    def _continue(self, client: Client, request: Request, stream: Streamed, *, close: bool) -> None:
        """Continue with the connection after a batch."""
        self._streams -= 1
        self._responder.access_log.note(client, request, stream.status, stream.sent)
        client.end_stream(close=close)
