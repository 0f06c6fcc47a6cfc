"""The interfaces between a connection, its request handler, and the thread of a batch."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from nachlass_service.http.body_budget import BodyBudget
from nachlass_service.http.head import Rejection, RequestLimits
from nachlass_service.http.incoming import Incoming
from nachlass_service.http.request import Request


class Endpoints(NamedTuple):
    """The addresses of a client and of the server's socket, and whether they use TLS."""

    peer: Any
    server: Any
    is_encrypted: bool


class Client(Protocol):
    """A connection as the request handler sees it; all methods run in the loop's thread."""

    incoming: Incoming

    @property
    def endpoints(self) -> Endpoints:
        """The addresses of the client and the server."""

    @property
    def is_open(self) -> bool:
        """Whether a response can still reach the client."""

    def answer(self, response: bytes, *, close: bool) -> None:
        """Send the response to the current request, and continue with the next."""

    def stream(self, stream: Stream) -> None:
        """Hand the current request to a thread; its body may already be complete."""

    def write(self, data: bytes) -> None:
        """Send a piece of a streamed response."""

    def end_stream(self, *, close: bool) -> None:
        """Continue with the next request."""


class Stream(Protocol):
    """The thread of a batch as its connection sees it; all methods run in the loop's thread."""

    @property
    def is_whole(self) -> bool:
        """Whether the body is complete."""

    def feed(self) -> None:
        """Parse more of the body, as far as there is room; called also when it has ended."""

    def block(self) -> None:
        """Stop writing until the client reads."""

    def unblock(self) -> None:
        """Continue writing: the client has read."""


class Handler(Protocol):
    """The request handler of a connection, with its limits."""

    limits: RequestLimits
    budget: BodyBudget
    keep_alive_s: float

    def is_streamed(self, request: Request) -> bool:
        """Return whether to hand a request on before its body is complete."""

    def handle(self, client: Client, request: Request) -> None:
        """Answer a request, now or later."""

    def reject(self, client: Client, rejection: Rejection) -> None:
        """Answer a malformed request, and close."""

    def defect(self, error: BaseException) -> None:
        """Log an unexpected exception that ends a client's connection."""
