"""What a connection, what answers its requests, and a batch in its thread are to each other."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from nachlass_service.http.body_budget import BodyBudget
from nachlass_service.http.head import Refusal, RequestLimits
from nachlass_service.http.incoming import Incoming
from nachlass_service.http.request import Request


class Endpoints(NamedTuple):
    """The addresses of a client and of the socket it has connected to, and whether by TLS."""

    peer: Any
    server: Any
    is_encrypted: bool


class Client(Protocol):
    """A connection, as those who answer its requests see it; all methods are the loop's."""

    incoming: Incoming

    @property
    def endpoints(self) -> Endpoints:
        """Who speaks with whom."""

    @property
    def is_open(self) -> bool:
        """Whether an answer can still reach the client."""

    def answer(self, response: bytes, *, close: bool) -> None:
        """Send the answer to the current request, and go on with the next."""

    def stream(self, stream: Stream) -> None:
        """Hand the current request to a thread; its body may already be there."""

    def write(self, data: bytes) -> None:
        """Send a piece of a streamed answer."""

    def end_stream(self, *, close: bool) -> None:
        """Go on with the next request."""


class Stream(Protocol):
    """The thread that has a batch, as its connection sees it; all methods are the loop's."""

    @property
    def is_whole(self) -> bool:
        """Whether all of the body is there."""

    def feed(self) -> None:
        """Read of the body what there is room for; more has come, or nothing more will."""

    def block(self) -> None:
        """The client does not take what is written."""

    def unblock(self) -> None:
        """The client takes more."""


class Handler(Protocol):
    """What a connection hands its requests on to, and its limits."""

    limits: RequestLimits
    budget: BodyBudget
    keep_alive_s: float

    def is_streamed(self, request: Request) -> bool:
        """Whether to hand a request on before its body is there."""

    def handle(self, client: Client, request: Request) -> None:
        """Answer a request, now or later."""

    def refuse(self, client: Client, refusal: Refusal) -> None:
        """Answer what is no request, and close."""

    def defect(self, error: BaseException) -> None:
        """Log what should not have happened, and cost a client its connection."""
