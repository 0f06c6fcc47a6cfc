"""Requests a prediction from a running service."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException

from nachlass_builder.foundation.errors import PredictionError, ServeError

LIMIT_S = 300
SERVER_ERROR = 500


def predict_at(url: str, text: str) -> str:
    """Return the prediction of the service at `url` for one sample, as a line of JSON.

    Raises PredictionError if the service responds with an error, and ServeError
    if there is no service.
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
        raise _prediction_error(error, address) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ServeError(
            f"no model service at {address}: {reason}",
            remedy="start one with `nachlass serve`, or correct the address in --url",
        ) from None


def _prediction_error(error: urllib.error.HTTPError, address: str) -> PredictionError:
    """Convert a problem document into an error."""
    try:
        problem = json.loads(error.read())
        message, request_id = f"{problem['title']}: {problem['detail']}", problem["request_id"]
    except (OSError, ValueError, TypeError, KeyError):
        return PredictionError(f"{address} responded with {error.code} {error.reason}")
    is_logged = error.code >= SERVER_ERROR or "the service's log" in message
    remedy = f"look for {request_id} in the service's log" if is_logged else None
    return PredictionError(message, remedy=remedy)
