"""The service's endpoints: a complete Flask application.

It passes bytes and headers to the scorer and back; the scorer decides what is
accepted, returned and counted.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from itertools import chain
from logging import ERROR
from pathlib import Path

from flask import Flask, Request, Response, abort, g, request
from werkzeug.exceptions import ClientDisconnected, HTTPException

from nachlass_service.base import log
from nachlass_service.base.errors import (
    OverloadedError,
    ServiceError,
    SlowBodyError,
    TooLargeError,
)
from nachlass_service.base.problem import MEDIA_TYPE, problem, problem_of, problem_of_defect
from nachlass_service.base.settings import Settings
from nachlass_service.batches.batches import Batches, BatchRequest
from nachlass_service.batches.formats import is_batch
from nachlass_service.bundle.strict_json import encode
from nachlass_service.metrics import drift_report
from nachlass_service.scoring.request_body import PredictRequest
from nachlass_service.scoring.scorer import Scorer
from nachlass_service.web.headers import MODEL_DIGEST, REQUEST_ID, REQUEST_ID_FORM, RETRY_AFTER
from nachlass_service.web.page import index_page, index_text, model_document

COUNTED = "nachlass.counted"
"""The key of the WSGI environment that is set if the server counts requests itself."""
PIECE_BYTES = 1 << 16
DISCARD_S = 5
"""Seconds for which the rest of a body that is too large is read and discarded."""
DETAILS = {
    404: "{0.path} does not exist; predictions are at /predict",
    405: "{0.path} does not support {0.method}",
}
ACCEPTED = ["text/plain", "text/html", "application/json"]
"""The media types of `/`; the first is for clients that accept anything, such as curl."""
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'"
)
"""The page for people contains its style and its icon, loads try.js, and asks only this service."""
TRY_IT = (Path(__file__).parent / "static/try.js").read_bytes()


def create_app(scorer: Scorer) -> Flask:
    """Create the application for a scorer, which has to be started in each worker."""
    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    batches = Batches(scorer)

    @app.post("/predict")
    def predict() -> Response:
        headers = request.headers
        if is_batch(headers.get("Content-Type", "")):
            return batch_response(scorer, batches)
        predict_request = PredictRequest(
            headers.get("Content-Type", ""), headers.get("Content-Encoding", ""), read_body(scorer)
        )
        return json_response(scorer.answer(predict_request, request_id()))

    @app.route("/metrics", methods=["GET", "POST"])
    def metrics() -> Response:
        text, content_type = scorer.metrics.exposition(request.headers.get("Accept", ""))
        return Response(text, content_type=content_type)

    @app.get("/livez")
    def livez() -> Response:
        return json_response({"live": True})

    @app.get("/readyz")
    def readyz() -> Response:
        reason = scorer.not_ready()
        if reason is None:
            return json_response({"ready": True})
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "The service is not ready", reason)

    @app.get("/model")
    def model() -> Response:
        return json_response(model_document(scorer.bundle, scorer.settings))

    @app.get("/drift")
    def drift() -> Response:
        return json_response(drift_report.report(scorer.metrics).as_json())

    @app.get("/")
    def index() -> Response:
        match request.accept_mimetypes.best_match(ACCEPTED, "text/plain"):
            case "text/html":
                drift = drift_report.report(scorer.metrics)
                state = drift, scorer.not_ready()
                page = index_page(scorer.bundle, scorer.settings, root_url(scorer.settings), *state)
                return Response(page, headers={"Content-Security-Policy": PAGE_POLICY})
            case "application/json":
                return json_response(model_document(scorer.bundle, scorer.settings))
        return Response(index_text(scorer.bundle), mimetype="text/plain")

    @app.errorhandler(ServiceError)
    def service_error(error: ServiceError) -> Response:
        response = json_response(problem_of(error, request_id()), error.status, MEDIA_TYPE)
        if isinstance(error, OverloadedError):
            response.headers[RETRY_AFTER] = str(error.retry_after_s)
        return response

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        detail = error.description or error.name
        if status in DETAILS:
            detail = DETAILS[status].format(request)
        response = problem_response(status, error.name, detail)
        for name, value in error.get_headers(request.environ):
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def defect(error: Exception) -> Response:
        if request.path == "/predict":
            scorer.metrics.count_failed()
        log.event("defect", level=ERROR, request=request_id(), path=request.path, exc_info=error)
        document = problem_of_defect(request_id())
        return json_response(document, HTTPStatus.INTERNAL_SERVER_ERROR, MEDIA_TYPE)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers[REQUEST_ID] = request_id()
        if request.endpoint == "predict":
            response.headers[MODEL_DIGEST] = scorer.bundle.manifest.digest
        return response

    serve_description(app, scorer)
    serve_script(app)
    if scorer.settings.show_samples:
        serve_notebooks(app, scorer)
    count_requests(app, scorer)
    return app


def serve_description(app: Flask, scorer: Scorer) -> None:
    """Serve the OpenAPI document, which is imported and computed on the first request."""

    @cache
    def document() -> str:
        from nachlass_service.web.openapi.document import openapi_text

        return openapi_text(scorer.bundle, scorer.settings)

    @app.get("/openapi.json")
    def openapi() -> Response:
        return Response(document(), mimetype="application/json")


def serve_script(app: Flask) -> None:
    """Serve the script of the page for people."""

    @app.get("/try.js")
    def try_it() -> Response:
        return Response(TRY_IT, mimetype="text/javascript")


def serve_notebooks(app: Flask, scorer: Scorer) -> None:
    """Serve the executed notebooks."""

    @app.get("/notebook/<int:number>")
    def notebook(number: int) -> Response:
        page = scorer.bundle.executed_notebook(number)
        if page is None:
            abort(HTTPStatus.NOT_FOUND)
        # Its scripts are the notebook's, and must not reach the service.
        return Response(page, headers={"Content-Security-Policy": "sandbox allow-scripts"})


def count_requests(app: Flask, scorer: Scorer) -> None:
    """Count each request, unless the server does."""

    @app.before_request
    def begin() -> None:
        if COUNTED not in request.environ:
            scorer.metrics.begin()

    @app.after_request
    def end(response: Response) -> Response:
        if COUNTED not in request.environ:
            route, status = route_of(request), response.status_code
            response.call_on_close(lambda: scorer.metrics.end(route, status))
        return response


def route_of(request: Request) -> str:
    """Return the label of the route in the metrics."""
    match request.endpoint:
        case "predict":
            return "batch" if is_batch(request.headers.get("Content-Type", "")) else "predict"
        case "livez" | "readyz":
            return "health"
    return "page"


def batch_response(scorer: Scorer, batches: Batches) -> Response:
    """Return the response to a batch, most of which is computed while it is sent."""
    batch_request = BatchRequest(
        request.headers.get("Content-Type", ""),
        request.headers.get("Content-Encoding", ""),
        request.accept_mimetypes,
        request.content_length,
        request.stream.read,
        request_id(),
    )
    try:
        media_type, pieces = batches.answer(batch_request)
        first = next(pieces)
    except ServiceError as error:
        scorer.reject(error, request_id())
        raise
    response = Response(chain([first], pieces), content_type=media_type)
    response.call_on_close(pieces.close)
    return response


def read_body(scorer: Scorer) -> bytes:
    """Return the body of the request; reject one that is too large or incomplete."""
    error: ServiceError
    try:
        body = _read_at_most(scorer.settings.max_body_bytes)
        if body is not None:
            return body
        error = TooLargeError(
            f"the body is too large (limit {scorer.settings.max_body_bytes} bytes)"
        )
    except (ClientDisconnected, OSError):
        error = SlowBodyError("the body ended before it was complete")
    scorer.reject(error, request_id())
    raise error


def _read_at_most(limit: int) -> bytes | None:
    """Return the body, or None if it is larger than the limit."""
    pieces, size = [], 0
    too_large = (request.content_length or 0) > limit
    if too_large and "Expect" in request.headers:  # it waits before sending
        return None
    # A client whose body is not read to the end never reads the response.
    ends_at = time.monotonic() + DISCARD_S
    while piece := request.stream.read(PIECE_BYTES):
        size += len(piece)
        too_large = too_large or size > limit
        if not too_large:
            pieces.append(piece)
        elif time.monotonic() > ends_at:
            break
    return None if too_large else b"".join(pieces)


def root_url(settings: Settings) -> str:
    """Return the URL of the service as the client wrote it."""
    if request.host:
        return request.url_root
    # No name was sent, or one that is invalid in a URL, as with an underscore.
    return f"{request.scheme}://localhost:{settings.port}"


def request_id() -> str:
    """Return the ID of this request in the log: the client's, or a new one."""
    if "request_id" not in g:
        sent_id = request.headers.get(REQUEST_ID, "")
        g.request_id = sent_id if REQUEST_ID_FORM.fullmatch(sent_id) else secrets.token_hex(8)
    found: str = g.request_id
    return found


def problem_response(status: int, title: str, detail: str) -> Response:
    """Return a problem document for an error outside the scorer."""
    return json_response(problem(status, title, detail, request_id()), status, MEDIA_TYPE)


def json_response(
    value: bytes | Mapping[str, object], status: int = 200, media_type: str = "application/json"
) -> Response:
    """Return JSON, with a newline at its end for terminals."""
    text = value if isinstance(value, bytes) else encode(value)
    return Response(text + b"\n", status, content_type=media_type)
