"""The baseline and the live counts have the same names, labels and buckets."""

import json
from dataclasses import asdict

import pytest
from prometheus_client import parser

from nachlass_builder.proof.describe_features import describe_features
from nachlass_builder.proof.describe_predictions import describe_predictions
from nachlass_service.metrics.baseline import count_samples
from nachlass_service.metrics.drift_report import report
from nachlass_service.metrics.metrics import Metrics
from support.manifest import bundle_with

CASES = {
    "labels": ["spam", "ham", "ham"] * 20,
    "numbers": [number / 7 for number in range(60)],
    "numbers and nulls": [None, *[number / 7 for number in range(60)]],
    "objects": [{"label": "a", "score": number / 60, "x": [1, 2]} for number in range(60)],
    "mixed": ["unknown", *[number / 7 for number in range(60)]],
    "a constant": [1.5] * 60,
    "one label": ["ham"] * 60,
    "nothing": [None] * 60,
    "too many labels": [f"label {number}" for number in range(1000)],
    "too many fields": [{f"field {number}": number for number in range(500)}] * 6,
    "long": ["x" * 300, "y"] * 30,
}


def bundle_of(folder, predictions):
    """Create a bundle whose samples are rows with these predictions."""
    samples = [[number, "ab"[number % 2]] for number in range(len(predictions))]
    entries = zip(samples, predictions, strict=True)
    lines = [json.dumps({"sample": s, "prediction": p}) + "\n" for s, p in entries]
    (folder / "samples.jsonl").write_text("".join(lines))
    return bundle_with(
        folder,
        prediction=asdict(describe_predictions(predictions, None)),
        input={"features": asdict(describe_features(samples))},
    )


def metrics_of(bundle, **options):
    metrics = Metrics(
        bundle.manifest.prediction,
        prefix="n",
        info={},
        features=bundle.manifest.input.features,
        baseline=count_samples(bundle),
        **options,
    )
    metrics.counters.prepare(0)
    return metrics


def serve(metrics, bundle):
    for sample, prediction in bundle.samples():
        metrics.count([prediction], 0.1, metrics.bin_features([sample]))


def read(metrics, name):
    """Return the samples of a metric by their labels."""
    families = parser.text_string_to_metric_families(metrics.exposition("")[0].decode())
    samples = [sample for family in families for sample in family.samples]
    return {tuple(s.labels.items()): s.value for s in samples if s.name == name}


@pytest.mark.parametrize("predictions", CASES.values(), ids=CASES)
def test_served_samples_are_counted_as_in_the_baseline(predictions, tmp_path):
    bundle = bundle_of(tmp_path, predictions)
    metrics = metrics_of(bundle)
    serve(metrics, bundle)
    live = {**read(metrics, "n_predictions_total"), **read(metrics, "n_prediction_bins_total")}
    assert live == read(metrics, "n_predictions_baseline")
    assert sum(live.values()) % len(predictions) == 0
    assert read(metrics, "n_inputs_total") == read(metrics, "n_inputs_baseline")
    buckets = read(metrics, "n_prediction_value_bucket")
    assert buckets == read(metrics, "n_prediction_value_baseline")


def test_no_input_label_is_shown_if_samples_must_not_be(tmp_path):
    bundle = bundle_of(tmp_path, CASES["labels"])
    metrics = metrics_of(bundle, named_inputs=False)
    serve(metrics, bundle)
    counts = read(metrics, "n_inputs_total")
    assert counts == read(metrics, "n_inputs_baseline")
    shown = {dict(labels)["value"] for labels in counts if dict(labels)["field"] == "1"}
    assert shown == {"#1", "#2", "other"}
    compared = {drift.field: drift for drift in report(metrics).inputs}
    assert {value for value, _now, _then in compared["1"].shares} == shown


def test_a_bundle_without_samples_has_no_baseline(tmp_path):
    bundle = bundle_of(tmp_path, [])
    metrics = metrics_of(bundle)
    metrics.count(["a", 0.5], 0.1, metrics.bin_features([1, 2]))
    for name in ("predictions", "prediction_value", "inputs"):
        assert read(metrics, f"n_{name}_baseline") == {}
    assert read(metrics, "n_inputs_total") == {}


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_the_input_is_sampled_at_the_configured_rate(rate, tmp_path):
    bundle = bundle_of(tmp_path, CASES["labels"])
    metrics = metrics_of(bundle, input_rate=rate)
    serve(metrics, bundle)
    counts = read(metrics, "n_inputs_total")
    assert sum(counts.values()) == rate * 2 * len(CASES["labels"])


def test_a_predictor_that_seeds_random_does_not_affect_the_sampling(tmp_path):
    import random

    metrics = metrics_of(bundle_of(tmp_path, CASES["labels"]), input_rate=0.5)
    seen = set()
    for _ in range(200):
        random.seed(0)
        seen.add(bool(metrics.bin_features([[1, "a"]])))
    assert seen == {True, False}
