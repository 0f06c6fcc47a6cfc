"""The example manifest, shared by builder and service tests."""

import json

from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.manifest import Features, Manifest, Prediction
from nachlass_service.bundle.typed_json import decode
from support.project import TESTS

EXAMPLE = (TESTS / "manifest.example.json").read_text(encoding="utf-8")


def example(**sections):
    """Return the example with sections replaced, or some keys of those that are objects."""
    document = json.loads(EXAMPLE)
    for name, value in sections.items():
        document[name] = {**document[name], **value} if isinstance(value, dict) else value
    return document


def bundle_with(path, **sections):
    """Return a service bundle with the example manifest, with sections replaced."""
    return Bundle(path, decode(Manifest, json.loads(json.dumps(example(**sections)))))


def prediction_with(*, labels=(), buckets=(), ladder=(0.0,)):
    """Return the manifest's section on predictions, for metrics."""
    return Prediction(
        kind="mixed",
        fields=(*{**dict(labels), **dict(buckets)},),
        labels=dict(labels),
        buckets=dict(buckets),
        ladder=ladder,
    )


def features_with(*, labels=(), buckets=()):
    """Return the features in the manifest's section on inputs, for metrics."""
    return Features(dict(labels), dict(buckets))
