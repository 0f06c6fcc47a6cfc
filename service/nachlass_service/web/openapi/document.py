"""Composes the OpenAPI document; https://spec.openapis.org/oas/v3.1 describes its form."""

from __future__ import annotations

import json

from nachlass_service.base.settings import Settings
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.metrics.drift_report import DriftDocument
from nachlass_service.web.openapi.headers import HEADERS, PARAMETERS
from nachlass_service.web.openapi.markdown import code
from nachlass_service.web.openapi.pages import pages
from nachlass_service.web.openapi.predict import predict, row_schema
from nachlass_service.web.openapi.predictions import prediction_schema
from nachlass_service.web.openapi.problems import common_responses, problem_schema
from nachlass_service.web.openapi.samples import sample_schema
from nachlass_service.web.openapi.typed import Json, schemas_of
from nachlass_service.web.page import ModelDocument

TAGS = {
    "predictions": "Predictions for samples.",
    "model": "What is served, and whether its traffic has drifted.",
    "operations": "Health and metrics.",
}
ERRORS = """\
Errors are problem documents ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)). A request that is
not valid HTTP gets 400, 414, 431, 501 or 505, and a method that a path does not have 405."""


def openapi_text(bundle: Bundle, settings: Settings) -> str:
    """Return the document as JSON, which ends with a newline."""
    # JSON may hold half of a surrogate pair, UTF-8 only as an escape.
    text = json.dumps(openapi(bundle, settings), indent=2, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def openapi(bundle: Bundle, settings: Settings) -> Json:
    """Return the document."""
    manifest = bundle.manifest
    return {
        "openapi": "3.1.0",
        "info": {
            "title": manifest.name,
            "version": manifest.version,
            "description": _description(bundle),
        },
        # Relative to this document, so that it is right behind a path prefix.
        "servers": [{"url": "."}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": {"/predict": {"post": predict(bundle, settings)}, **pages(bundle, settings)},
        "components": {
            "schemas": {
                "Sample": sample_schema(bundle, settings),
                "Prediction": prediction_schema(manifest.prediction),
                "RowAnswer": row_schema(),
                "Problem": problem_schema(),
                **schemas_of(ModelDocument, DriftDocument),
            },
            "responses": common_responses(),
            "headers": HEADERS,
            "parameters": PARAMETERS,
        },
    }


def _description(bundle: Bundle) -> str:
    """Return what is served, and how errors are answered."""
    manifest, source = bundle.manifest, bundle.manifest.source
    origin = f"built from commit {code(source.commit)}" if source.commit else "built outside git"
    changes = ", with uncommitted changes" if source.commit and source.dirty else ""
    return (
        f"Predictions of the model {code(manifest.name)}, version {code(manifest.version)}, "
        f"{origin}{changes}. Digest of the bundle: `{manifest.digest}`.\n\n{ERRORS}"
    )
