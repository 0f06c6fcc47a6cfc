"""What the service says of itself: a page, a document, a line. Model environment."""

from __future__ import annotations

import json
import shlex
from typing import Any

from flask import render_template

from nachlass_service.bundle import Bundle
from nachlass_service.settings import Settings


def model_document(bundle: Bundle, settings: Settings) -> dict[str, Any]:
    """The manifest's public part: nothing in it is training data, unless that may be shown."""
    manifest = bundle.manifest
    source = manifest["source"]
    shown = {"example": manifest["input"]["example"]} if settings.show_samples else {}
    return {
        **{name: manifest[name] for name in ("name", "version", "contract", "prediction")},
        "input": {"schema": manifest["input"]["schema"], **shown},
        "samples": manifest["samples"],
        "python": manifest["python"],
        "packages": manifest["packages"],
        "source": {
            "commit": source["commit"],
            "dirty": source["dirty"],
            "notebooks": [
                {name: notebook[name] for name in ("name", "digest")}
                for notebook in source["notebooks"]
            ],
        },
        "built_by": manifest["built_by"],
        "created": manifest["created"],
    }


def index_text(bundle: Bundle) -> str:
    """One line for those who ask with curl."""
    return f"{bundle.title}: make a prediction by POSTing one sample as JSON to /predict\n"


def index_page(bundle: Bundle, settings: Settings, base_url: str) -> str:
    """The page for people."""
    return render_template(
        "page.html",
        bundle=bundle,
        manifest=bundle.manifest,
        curl=curl_line(bundle, settings, base_url),
        schema=json.dumps(bundle.manifest["input"]["schema"], indent=2, ensure_ascii=False),
        show_samples=settings.show_samples,
    )


def curl_line(bundle: Bundle, settings: Settings, base_url: str) -> str:
    """A command that asks for a prediction; it works as it is where samples may be shown."""
    has_example = settings.show_samples and bundle.manifest["samples"]["count"] > 0
    example = json.dumps(bundle.manifest["input"]["example"], ensure_ascii=False)
    body = shlex.quote(example) if has_example else "'SAMPLE AS JSON'"
    header = "-H 'content-type: application/json'"
    return f"curl -s {base_url.rstrip('/')}/predict {header} -d {body}"
