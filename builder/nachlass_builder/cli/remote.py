"""Asks a running service for a prediction."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException

from nachlass_builder.foundation.errors import PredictionError, ServeError

LIMIT_S = 300
SERVER_ERROR = 500


def predict_at(url: str, text: str) -> str:
    """The prediction of the service at `url` for one sample, as a line of JSON.

    Raises PredictionError when the service does not answer with one, ServeError
    when there is no service.
    """
    address = url.rstrip("/")
    if not address.endswith("/predict"):
        address += "/predict"
    request = urllib.request.Request(  # noqa: S310 - checked by the command line
        address,
        data=text.encode("utf-8", "surrogateescape"),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as response:  # noqa: S310
            answer: str = response.read().decode("utf-8").strip()
            json.loads(answer)
            return answer
    except urllib.error.HTTPError as error:
        raise _refusal(error, address) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ServeError(
            f"no service of ours answers at {address}: {reason}",
            remedy="start one with `nachlass serve`, or name its address with --url",
        ) from None


def _refusal(error: urllib.error.HTTPError, address: str) -> PredictionError:
    """What a problem document says."""
    try:
        problem = json.loads(error.read())
        message, request_id = f"{problem['title']}: {problem['detail']}", problem["request_id"]
    except (OSError, ValueError, TypeError, KeyError):
        return PredictionError(f"{address} answered {error.code} {error.reason}")
    is_told_there = error.code >= SERVER_ERROR or "the service's log" in message
    remedy = f"look for {request_id} in the service's log" if is_told_there else None
    return PredictionError(message, remedy=remedy)
