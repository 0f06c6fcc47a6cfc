import itertools
import os
from dataclasses import replace

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from nachlass_builder.proof.describe_predictions import LADDER, describe_predictions
from nachlass_service.base.errors import REJECTED
from nachlass_service.bundle.manifest import Baseline
from nachlass_service.metrics import history
from nachlass_service.metrics.metrics import Metrics
from nachlass_service.metrics.predictions import (
    MAX_FIELDS,
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    MAX_VALUES,
    label_of,
    plain_values,
)
from nachlass_service.metrics.requests import ENDED, ROUTES
from support.forked import fork, in_child, join, killed
from support.manifest import features_with, prediction_with

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def metrics_of(*predictions, forced=None, counters=1):
    """Return metrics like a server's, from the manifest of a build with these predictions."""
    metrics = new_metrics(describe_predictions(predictions, forced))
    for slot in range(counters):
        metrics.counters.prepare(slot)
    return metrics


def new_metrics(prediction, **info):
    return Metrics(prediction, prefix="n", info=info)


def read(metrics):
    """Return each exposed value by its name and labels."""
    text, _content_type = metrics.exposition("")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parser.text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def labels(metrics):
    """Return the count of each predicted label, without zeros."""
    found = {key: count for key, count in read(metrics).items() if key[0] == "n_predictions_total"}
    return {key[1:]: count for key, count in found.items() if count}


def numbers(metrics):
    """Return the count of predicted numbers by field."""
    return {
        key[1]: count
        for key, count in read(metrics).items()
        if key[0] == "n_prediction_value_bucket" and key[2] == "+Inf" and count
    }


def is_at_zero(metrics):
    return not any(count for key, count in read(metrics).items() if key[0] != "n_model_info")


def nested(depth):
    value = 1.5
    for _ in range(depth):
        value = [value]
    return value


# Kinds of fields, as the build describes them.


@pytest.mark.parametrize(
    ("seen", "forced", "predicted", "expected_labels", "expected_numbers"),
    [
        (["a"], None, "a", ["a"], 0),
        (["a"], None, 1, ["1"], 0),
        (["a"], None, 0.5, ["0.5"], 0),
        (["a"], None, None, ["null"], 0),
        ([True], None, False, ["false"], 0),
        ([1, 2], None, 7, ["7"], 0),
        ([1, 2], None, 10**400, ["1" + "0" * (MAX_LABEL_LENGTH - 2) + "…"], 0),
        ([0.5], None, 0.25, [], 1),
        ([0.5], None, 7, [], 1),
        ([0.5], None, -(10**300), [], 1),
        ([0.5], None, None, ["null"], 0),
        ([0.5], None, True, ["true"], 0),
        ([0.5], None, "a", ["a"], 0),
        ([0.5], None, 10**400, ["1" + "0" * (MAX_LABEL_LENGTH - 2) + "…"], 0),
        (range(30), None, 7, [], 1),
        (["a", 0.5], None, 0.25, [], 1),
        (["a", 0.5], None, 1, ["1"], 0),
        (["a", 0.5], None, True, ["true"], 0),
        (["a", 0.5], None, None, ["null"], 0),
        ([], None, 0.25, [], 1),
        ([], None, 1, ["1"], 0),
        ([], None, "", [""], 0),
        ([], "label", 0.25, ["0.25"], 0),
        ([], "number", 1, [], 1),
    ],
)
def test_a_value_is_counted_by_the_kind_of_its_field(
    seen, forced, predicted, expected_labels, expected_numbers
):
    metrics = metrics_of(*seen, forced=forced)
    metrics.count([predicted], 0.1)
    assert labels(metrics) == {("", label): 1 for label in expected_labels}
    assert sum(numbers(metrics).values()) == expected_numbers


def test_nested_values_have_their_paths_as_fields():
    metrics = metrics_of({"kind": "spam", "scores": [0.1, 0.9]})
    metrics.count([{"kind": "ham", "scores": [0.3, 0.7], "why": {"": [], "words": ["win"]}}], 0.1)
    assert labels(metrics) == {("kind", "ham"): 1, ("why.words.0", "win"): 1}
    assert numbers(metrics) == {"scores.0": 1, "scores.1": 1}


def test_fields_are_named_as_by_the_build():
    prediction = {"a": [1, {"b": None, "": "x"}], "": {"c": 2.5}}
    values = list(plain_values(prediction))
    assert values == [("a.0", 1), ("a.1.b", None), ("a.1.", "x"), ("c", 2.5)]
    described = describe_predictions([prediction], None)
    assert described.fields == tuple(field for field, _value in values)


def test_a_prediction_can_be_nested_beyond_the_recursion_limit():
    metrics = metrics_of()
    metrics.count([nested(5000)], 0.1)
    assert sum(numbers(metrics).values()) == 1


def test_the_number_of_counted_values_per_prediction_is_limited():
    metrics = metrics_of([0.5])
    metrics.count([[0.5] + ["a"] * MAX_VALUES, [0.5]], 0.1)
    assert numbers(metrics) == {"0": 2}
    assert sum(labels(metrics).values()) == MAX_VALUES - 1


# Limits.


def test_the_number_of_labels_per_field_is_limited():
    metrics = metrics_of("a")
    metrics.count([f"b{number}" for number in range(MAX_LABELS + 9)] + ["a", "c", "b0"], 0.1)
    expected = {("", f"b{number}"): 1 for number in range(MAX_LABELS - 1)}
    assert labels(metrics) == {**expected, ("", "b0"): 2, ("", "a"): 1, ("", "other"): 11}


def test_a_build_with_the_maximum_number_of_labels_leaves_none():
    seen = [f"a{number:03}" for number in range(MAX_LABELS + 5)]
    described = describe_predictions(seen, "label")
    for names in (described.labels[""], seen):
        metrics = new_metrics(replace(described, labels={"": names}))
        metrics.counters.prepare(0)
        metrics.count(["new", "a000", seen[-1]], 0.1)
        assert labels(metrics) == {("", "a000"): 1, ("", "other"): 2}


def test_the_number_of_fields_is_limited():
    metrics = metrics_of({"seen": "a"})
    metrics.count([{f"f{number}": "b" for number in range(MAX_FIELDS + 4)}], 0.1)
    metrics.count([{"late": 0.5, "later": 1.5, "latest": "c"}], 0.1)
    expected = {(f"f{number}", "b"): 1 for number in range(MAX_FIELDS - 1)}
    assert labels(metrics) == {**expected, ("other", "other"): 6}
    assert numbers(metrics) == {"other": 2}


def test_the_number_of_numeric_fields_is_limited():
    metrics = metrics_of({"seen": 0.5})
    metrics.count([{f"f{number}": 0.5 for number in range(MAX_FIELDS + 4)}], 0.1)
    expected = {f"f{number}": 1 for number in range(MAX_FIELDS - 1)}
    assert numbers(metrics) == {**expected, "other": 5}


def test_a_known_field_gets_new_labels_at_the_field_limit():
    metrics = metrics_of({"seen": "a", "empty": None}, forced="label")
    metrics.count([{f"f{number}": "b" for number in range(MAX_FIELDS + 4)}], 0.1)
    metrics.count([{"f0": "c", "seen": "d", "empty": "e"}], 0.1)
    found = labels(metrics)
    assert {("f0", "c"), ("seen", "d"), ("empty", "e")} < found.keys()
    assert len({field for field, _label in found} - {"other"}) == MAX_FIELDS


def test_a_known_field_gets_numbers_at_the_field_limit():
    metrics = metrics_of({"seen": "a"})
    metrics.count([{f"f{number}": "b" for number in range(MAX_FIELDS + 4)}], 0.1)
    metrics.count([{"f0": 0.5}], 0.1)
    assert numbers(metrics) == {"f0": 1}


def test_a_field_can_be_named_other():
    metrics = metrics_of({"spam": 0.25, "other": 0.75})
    metrics.count([{"spam": 0.5, "other": 0.5}], 0.1)
    assert numbers(metrics) == {"spam": 1, "other": 1}
    metrics = metrics_of({"other": "a"})
    metrics.count([{"other": "b"}], 0.1)
    assert labels(metrics) == {("other", "b"): 1}


def test_limits_apply_across_workers():
    metrics = metrics_of("a", counters=3)

    def count(slot):
        metrics.counters.use(slot)
        metrics.count([f"{slot}-{number}" for number in range(MAX_LABELS)], 0.1)
        metrics.count([{f"f{slot}-{number}": "b"} for number in range(MAX_FIELDS)], 0.1)

    join(*(fork(lambda slot=slot: count(slot)) for slot in range(3)))
    found = labels(metrics)
    assert sum(found.values()) == 3 * (MAX_LABELS + MAX_FIELDS)
    assert len([label for field, label in found if not field]) == MAX_LABELS  # `a` is missing
    assert len({field for field, _label in found}) == MAX_FIELDS + 1


def test_the_table_has_space_for_everything_within_the_limits():
    fields = {f"{number:02}" + "\x01" * MAX_LABEL_LENGTH: None for number in range(10)}
    metrics = metrics_of()
    for number in range(MAX_LABELS + 1):
        metrics.count([dict.fromkeys(fields, f"{number}" + "\x01" * MAX_LABEL_LENGTH)], 0.1)
    metrics.count([dict.fromkeys(fields, 0.5)], 0.1)
    found = labels(metrics)
    assert len({field for field, _label in found}) == len(fields)
    assert len(found) == len(fields) * (MAX_LABELS + 1)
    assert len(numbers(metrics)) == len(fields)


# Texts.


def test_long_labels_and_field_names_are_truncated():
    metrics = metrics_of({"y" * 500: "a" * 500})
    before = len(read(metrics))
    metrics.count([{"y" * 500: "a" * 500, "z": "b" * MAX_LABEL_LENGTH}], 0.1)
    metrics.count([{"y" * 500: "a" * 501}], 0.1)
    field, label = "y" * (MAX_LABEL_LENGTH - 1) + "…", "a" * (MAX_LABEL_LENGTH - 1) + "…"
    assert labels(metrics) == {(field, label): 2, ("z", "b" * MAX_LABEL_LENGTH): 1}
    assert len(read(metrics)) == before + 1


@pytest.mark.parametrize(
    "text", ['say "hi"\n\\n', "a\rb\u2028c\x00", "}", 'x",y="z', "ä\U0001f600"]
)
def test_any_text_can_be_a_label_or_a_field_name(text):
    metrics = metrics_of()
    in_child(lambda: metrics.count([{text: text}], 0.1))
    assert labels(metrics) == {(text, text): 1}
    assert b"# EOF" in metrics.exposition(OPENMETRICS)[0]


@pytest.mark.parametrize("seen", [[], [{"\ud800": "\ud800"}]])
def test_lone_surrogates_are_escaped(seen):
    metrics = metrics_of(*seen)
    metrics.count([{"\ud800": "\ud800"}], 0.1)
    assert labels(metrics) == {("\\ud800", "\\ud800"): 1}


# The exposition.


def test_everything_known_to_the_build_is_exposed_from_the_start():
    metrics = metrics_of({"colour": "red", "size": 1.5}, {"colour": "blue", "size": 2.5})
    found = read(metrics)
    assert is_at_zero(metrics)
    assert {("n_predictions_total", "colour", label) for label in ("red", "blue")} < found.keys()
    assert ("n_prediction_value_count", "size") in found
    assert {("n_rejected_total", error.code) for error in REJECTED} < found.keys()
    assert {("n_failures_total",), ("n_processing_seconds_count",)} < found.keys()
    assert not any("other" in key for key in found)


def test_requests_are_counted_by_their_outcome():
    metrics = metrics_of(1)
    metrics.count([1, 1], 0.25)
    metrics.count([], 0.5)
    metrics.count_rejected("refused")
    metrics.count_failed()
    metrics.count_failed()
    found = read(metrics)
    assert found["n_predictions_total", "", "1"] == 2
    assert found["n_processing_seconds_count",] == 2
    assert found["n_processing_seconds_sum",] == 0.75
    assert found["n_rejected_total", "refused"] == 1
    assert found["n_rejected_total", "too_large"] == 0
    assert found["n_failures_total",] == 2


def test_many_predictions_are_counted_like_single_ones():
    predictions = [1, 1.0, True, "1", None, 1, 2.5, 2.5, {"a": 1}, {"a": 1}, [1.5], "1"] * 3
    alone, together = metrics_of(*predictions), metrics_of(*predictions)
    for prediction in predictions:
        alone.count([prediction], 0.5)
    together.count_predictions(predictions)
    assert not [key for key, count in read(together).items() if "seconds" in key[0] and count]
    for _ in predictions:
        together.count_batch(0.5)
    counted = read(together)
    assert counted["n_batch_seconds_count",] == len(predictions)
    assert {key: count for key, count in counted.items() if "seconds" not in key[0]} == {
        key: count for key, count in read(alone).items() if "seconds" not in key[0]
    }


def test_the_model_is_exposed():
    metrics = new_metrics(describe_predictions([], None), name='a "model"', version="1")
    assert read(metrics)["n_model_info", 'a "model"', "1"] == 1


def test_buckets_are_cumulative_and_the_last_one_is_the_count():
    metrics = metrics_of(*(number / 100 for number in range(101)))
    values = [0.0, 0.005, 0.05, 0.5, 0.999, 1.0, 7.0, -1.0]
    metrics.count(values, 0.02)
    found = read(metrics)
    buckets = [
        (float(key[2]), count)
        for key, count in found.items()
        if key[0] == "n_prediction_value_bucket"
    ]
    assert [bound for bound, _count in buckets] == sorted(bound for bound, _count in buckets)
    assert all(count == sum(v <= bound for v in values) for bound, count in buckets)
    assert found["n_prediction_value_bucket", "", "+Inf"] == len(values)
    assert found["n_prediction_value_count", ""] == len(values)
    assert found["n_prediction_value_sum", ""] == pytest.approx(sum(values))


def test_durations_are_counted_in_their_buckets():
    metrics = metrics_of()
    for seconds in (0.0001, 0.001, 0.0011, 100.0):
        metrics.count([], seconds)
    found = read(metrics)
    buckets = {
        key[1]: count for key, count in found.items() if key[0] == "n_processing_seconds_bucket"
    }
    assert buckets["0.0005"] == 1
    assert buckets["0.001"] == 2
    assert buckets["60.0"] == 3
    assert buckets["+Inf"] == found["n_processing_seconds_count",] == 4
    assert all(one <= next_one for one, next_one in itertools.pairwise(buckets.values()))


def test_numbers_that_can_be_negative_have_buckets_but_no_sum():
    metrics = metrics_of()
    metrics.count([-3.5], 0.1)
    found = read(metrics)
    assert found["n_prediction_value_bucket", "", "-10.0"] == 0
    assert found["n_prediction_value_bucket", "", "-1.0"] == 1
    assert found["n_prediction_value_bucket", "", "+Inf"] == 1
    assert ("n_prediction_value_sum", "") not in found, "OpenMetrics: a sum must be a counter"
    bounds = [key for key in found if key[0] == "n_prediction_value_bucket"]
    assert len(bounds) == len(LADDER) + 1


@pytest.mark.parametrize(
    "accept", [OPENMETRICS, f"{OPENMETRICS};q=0.8,text/plain;q=0.5", "application/openmetrics-text"]
)
def test_openmetrics_is_sent_on_request(accept):
    metrics = new_metrics(describe_predictions(["a", 0.5], None), name="m")
    metrics.counters.prepare(0)
    metrics.count(["a", "b", 0.75, -5.0, None], 0.1)
    text, content_type = metrics.exposition(accept)
    assert content_type.startswith("application/openmetrics-text; version=")
    families = openmetrics_parser.text_string_to_metric_families(text.decode())
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }
    assert samples == read(metrics)
    assert samples["n_predictions_total", "", "b"] == 1


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html",
        "text/plain;version=0.0.4",
        "text/plain;version=x",
        "application/openmetrics-text; version=one",
        "application/openmetrics-text; version=",
        ";;,=",
    ],
)
def test_any_accept_header_is_answered(accept):
    metrics = metrics_of("a")
    text, content_type = metrics.exposition(accept)
    assert content_type.startswith(("text/plain; version=0.0.4", "application/openmetrics-text"))
    assert b'n_predictions_total{field="",value="a"} 0.0' in text


# Several processes.


def test_killed_workers_lose_no_counts():
    metrics = metrics_of("a", 0.5, counters=3)

    def count(slot, say):
        metrics.counters.use(slot)
        for _ in range(200):
            metrics.count(["a", "new", 0.25], 0.125)
        metrics.count_rejected("refused")
        say()

    for slot in (0, 1, 2, 1, 1):
        metrics.counters.prepare(slot)
        with killed(lambda say, slot=slot: count(slot, say)):
            pass
    found = read(metrics)
    assert labels(metrics) == {("", "a"): 1000, ("", "new"): 1000}
    assert numbers(metrics) == {"": 1000}
    assert found["n_processing_seconds_count",] == 1000
    assert found["n_processing_seconds_sum",] == 125
    assert found["n_rejected_total", "refused"] == 5


def test_every_worker_exposes_the_counts_of_all():
    metrics = metrics_of("a", counters=2)
    gate, opened = os.pipe()

    def count(slot):
        os.close(opened)
        os.read(gate, 1)  # returns for both when the test closes it
        metrics.counters.use(slot)
        for number in range(50):
            metrics.count([f"new {number}", {"score": 0.5}], 0.1)

    children = [fork(lambda slot=slot: count(slot)) for slot in range(2)]
    os.close(opened)
    join(*children)
    os.close(gate)
    expected = {("", f"new {number}"): 2 for number in range(50)}

    def look():
        assert labels(metrics) == expected
        assert numbers(metrics) == {"score": 100}

    in_child(look)
    look()


def test_counts_continue_in_an_equal_layout():
    described = describe_predictions(["a", "b"], None)
    before, after = new_metrics(described, version="1"), new_metrics(described, version="2")
    before.counters.prepare(0)
    in_child(lambda: before.count(["a", "new"], 0.1))
    after.continue_from(before)
    in_child(lambda: after.count(["a", "new"], 0.1))
    assert labels(after) == {("", "a"): 2, ("", "new"): 2}
    assert read(after)["n_model_info", "2"] == 1


@pytest.mark.parametrize("seen", [["a", "c"], ["a"], [0.5, 0.75], [{"x": "a"}]])
def test_only_compatible_counts_continue_in_another_layout(seen):
    before, after = metrics_of("a", "b"), metrics_of(*seen)
    counted(before, "a")
    after.continue_from(before)
    assert only_requests_go_on(before, after)


def counted(metrics, prediction):
    """Count one of each: answered, rejected, failed, a batch, a worker exit."""
    metrics.begin()
    metrics.count([prediction], 0.1)
    metrics.end("predict", 200)
    metrics.count_batch(5)
    metrics.count_rejected("schema")
    metrics.count_failed()
    metrics.count_ended("time_limit")
    metrics.begin()


def only_requests_go_on(before, after):
    """Return whether predictions and inputs start at zero and finished requests continue."""
    then, now = read(before), read(after)
    reset = ("n_predict", "n_inputs", "n_requests_in_progress", "n_model_info")
    of_requests = {key: count for key, count in now.items() if not key[0].startswith(reset)}
    others = {key: count for key, count in now.items() if key not in of_requests}
    return (
        of_requests == {key: then[key] for key in of_requests}
        and of_requests["n_samples_total",] == 1
        and of_requests["n_workers_ended_total", "time_limit"] == 1
        and not any(count for key, count in others.items() if key[0] != "n_model_info")
    )


def test_predictions_with_other_buckets_start_at_zero():
    described = describe_predictions(["a"], None)
    for before, after in [
        (metrics_of(0.5, 0.75), metrics_of(0.5, 0.8)),
        (new_metrics(described), new_metrics(replace(described, ladder=(0.0, 1.0)))),
    ]:
        before.counters.prepare(0)
        after.counters.prepare(0)
        counted(before, 0.5)
        after.continue_from(before)
        assert only_requests_go_on(before, after)


# All metrics together.

PREDICTION = prediction_with(
    labels={"kind": ("ham", "spam")}, buckets={"score": (0.5,)}, ladder=(-1.0, 1.0)
)
FEATURES = features_with(labels={"colour": ("red",)}, buckets={"size": (2.0,)})
BASELINE = Baseline(
    predictions={"kind": {"ham": 3, "spam": 1}, "score": {"(-Inf, 0.5]": 2, "(0.5, +Inf)": 5}},
    inputs={"colour": {"red": 4, "other": 2}, "size": {"(-Inf, 2.0]": 6}},
)


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock with one that only the test advances."""
    clock = Clock()
    monkeypatch.setattr(history, "time", clock)
    return clock


def whole_metrics(**options):
    metrics = Metrics(
        PREDICTION,
        prefix="n",
        info={"name": "m", "version": "2"},
        features=FEATURES,
        **{"baseline": BASELINE, "window_s": 120, **options},
    )
    metrics.counters.prepare(0)
    return metrics


def text_of(metrics):
    """Return the exposition without the buckets of durations."""
    lines = metrics.exposition("")[0].decode().splitlines()
    return [line for line in lines if "_seconds_bucket" not in line]


def test_the_exposition_matches_the_expected_text():
    metrics = whole_metrics()
    samples = [{"colour": "red", "size": 3}, {"colour": "blue", "size": 1}]
    seen = metrics.bin_features(samples)
    metrics.count(
        [{"kind": "ham", "score": 0.25}, {"kind": "new", "score": 2, "more": -0.5}], 0.25, seen
    )
    metrics.count_rejected("refused")
    metrics.count_failed()
    rejected = [error.code for error in REJECTED]
    assert text_of(metrics) == [
        "# HELP n_predictions_total Predictions by value.",
        "# TYPE n_predictions_total counter",
        'n_predictions_total{field="kind",value="ham"} 1.0',
        'n_predictions_total{field="kind",value="spam"} 0.0',
        'n_predictions_total{field="kind",value="new"} 1.0',
        "# HELP n_prediction_value Predicted numbers.",
        "# TYPE n_prediction_value histogram",
        'n_prediction_value_bucket{field="score",le="0.5"} 1.0',
        'n_prediction_value_bucket{field="score",le="+Inf"} 2.0',
        'n_prediction_value_count{field="score"} 2.0',
        'n_prediction_value_sum{field="score"} 2.25',
        'n_prediction_value_bucket{field="more",le="-1.0"} 0.0',
        'n_prediction_value_bucket{field="more",le="1.0"} 1.0',
        'n_prediction_value_bucket{field="more",le="+Inf"} 1.0',
        "# HELP n_prediction_bins_total Predicted numbers by interval.",
        "# TYPE n_prediction_bins_total counter",
        'n_prediction_bins_total{field="score",value="(-Inf, 0.5]"} 1.0',
        'n_prediction_bins_total{field="score",value="(0.5, +Inf)"} 1.0',
        'n_prediction_bins_total{field="more",value="(-Inf, -1.0]"} 0.0',
        'n_prediction_bins_total{field="more",value="(-1.0, 1.0]"} 1.0',
        'n_prediction_bins_total{field="more",value="(1.0, +Inf)"} 0.0',
        "# HELP n_inputs_total Input feature values, counted for a share of the samples.",
        "# TYPE n_inputs_total counter",
        'n_inputs_total{field="colour",value="red"} 1.0',
        'n_inputs_total{field="colour",value="other"} 1.0',
        'n_inputs_total{field="size",value="(-Inf, 2.0]"} 1.0',
        'n_inputs_total{field="size",value="(2.0, +Inf)"} 1.0',
        'n_inputs_total{field="size",value="other"} 0.0',
        ("# HELP n_predictions_baseline Predictions of the build by value or interval; constant."),
        "# TYPE n_predictions_baseline gauge",
        'n_predictions_baseline{field="kind",value="ham"} 3.0',
        'n_predictions_baseline{field="kind",value="spam"} 1.0',
        'n_predictions_baseline{field="score",value="(-Inf, 0.5]"} 2.0',
        'n_predictions_baseline{field="score",value="(0.5, +Inf)"} 5.0',
        (
            "# HELP n_inputs_baseline "
            "Input feature values of the build by value or interval; constant."
        ),
        "# TYPE n_inputs_baseline gauge",
        'n_inputs_baseline{field="colour",value="red"} 4.0',
        'n_inputs_baseline{field="colour",value="other"} 2.0',
        'n_inputs_baseline{field="size",value="(-Inf, 2.0]"} 6.0',
        (
            "# HELP n_prediction_value_baseline "
            "Cumulative number of the build's predictions up to each bound; constant."
        ),
        "# TYPE n_prediction_value_baseline gauge",
        'n_prediction_value_baseline{field="score",le="0.5"} 2.0',
        'n_prediction_value_baseline{field="score",le="+Inf"} 7.0',
        "# HELP n_processing_seconds Duration of prediction requests in seconds.",
        "# TYPE n_processing_seconds histogram",
        "n_processing_seconds_count 1.0",
        "n_processing_seconds_sum 0.25",
        "# HELP n_batch_seconds Duration of batches in seconds.",
        "# TYPE n_batch_seconds histogram",
        "n_batch_seconds_count 0.0",
        "n_batch_seconds_sum 0.0",
        "# HELP n_rejected_total Rejected requests.",
        "# TYPE n_rejected_total counter",
        *(f'n_rejected_total{{reason="{code}"}} {float(code == "refused")}' for code in rejected),
        "# HELP n_samples_total Samples that got a prediction.",
        "# TYPE n_samples_total counter",
        "n_samples_total 2.0",
        "# HELP n_failures_total Requests on which the model failed.",
        "# TYPE n_failures_total counter",
        "n_failures_total 1.0",
        "# HELP n_requests_total Requests by route and status.",
        "# TYPE n_requests_total counter",
        *(f'n_requests_total{{route="{route}",status="200"}} 0.0' for route in ROUTES),
        "# HELP n_requests_in_progress Requests in progress.",
        "# TYPE n_requests_in_progress gauge",
        "n_requests_in_progress 0.0",
        "# HELP n_requests_lost_total Requests lost in worker crashes.",
        "# TYPE n_requests_lost_total counter",
        "n_requests_lost_total 0.0",
        "# HELP n_workers_ended_total Worker exits other than a shutdown or reload.",
        "# TYPE n_workers_ended_total counter",
        *(f'n_workers_ended_total{{reason="{reason}"}} 0.0' for reason in ENDED),
        "# HELP n_model_info The served model; always 1.",
        "# TYPE n_model_info gauge",
        'n_model_info{name="m",version="2"} 1.0',
    ]


def test_metrics_can_have_no_baseline():
    metrics = whole_metrics(baseline=Baseline({}, {}))
    assert metrics.baseline == {"predictions": {}, "inputs": {}}
    assert not any("_baseline{" in line for line in text_of(metrics))


def test_labels_of_the_baseline_are_numbered_like_those_of_the_input():
    metrics = whole_metrics(named_inputs=False)
    assert metrics.baseline["inputs"]["colour"] == {"#1": 4, "other": 2}
    assert metrics.inputs.bins["colour"] == ["#1", "other"]


def test_a_bucket_missing_from_the_baseline_is_empty():
    found = read(whole_metrics(baseline=Baseline({"score": {"(0.5, +Inf)": 5}}, {})))
    assert found["n_prediction_value_baseline", "score", "0.5"] == 0
    assert found["n_prediction_value_baseline", "score", "+Inf"] == 5


def test_only_a_share_of_the_inputs_is_counted():
    samples = [{"colour": "red", "size": 3}] * 2000
    assert whole_metrics(input_rate=0.0).bin_features(samples) == []
    assert whole_metrics().bin_features(samples[:2]) == [[0, 3], [0, 3]]
    assert 400 < len(whole_metrics(input_rate=0.3).bin_features(samples)) < 800


def test_an_input_without_features_is_not_counted():
    metrics = Metrics(PREDICTION, prefix="n", info={})
    metrics.counters.prepare(0)
    assert metrics.bin_features([1, 2]) == []
    metrics.count(["ham"], 0.1, [])
    assert "n_inputs_total{" not in metrics.exposition("")[0].decode()


# Recent counts.


def test_recent_counts_are_those_of_the_window(clock):
    metrics = whole_metrics()
    count(metrics, 3, "ham", 0.25)
    clock.now += 60
    metrics.recent()  # records this moment
    count(metrics, 2, "spam", 0.75)
    clock.now += 130
    count(metrics, 1, "new", 0.25)
    predictions, inputs, seconds = metrics.recent()
    assert predictions == {
        "kind": {"ham": 0, "spam": 2, "new": 1},
        "score": {"(-Inf, 0.5]": 1, "(0.5, +Inf)": 2},
    }
    assert inputs == {
        "colour": {"red": 3, "other": 0},
        "size": {"(-Inf, 2.0]": 0, "(2.0, +Inf)": 3, "other": 0},
    }
    assert seconds == 130


def count(metrics, times, kind, score):
    for _ in range(times):
        seen = metrics.bin_features([{"colour": "red", "size": 3}])
        metrics.count([{"kind": kind, "score": score}], 0.1, seen)


def test_a_field_with_labels_and_numbers_has_both(clock):
    metrics = new_metrics(prediction_with(labels={"": ("a",)}, buckets={"": (1.0,)}))
    metrics.counters.prepare(0)
    metrics.count(["a", 0.5, 1], 0.1)
    predictions, _inputs, seconds = metrics.recent()
    assert predictions == {"": {"(-Inf, 1.0]": 1, "(1.0, +Inf)": 0, "a": 1, "1": 1}}
    assert seconds == 0


def test_counting_records_the_history(clock):
    metrics = whole_metrics()
    for _ in range(40):
        clock.now += 10
        metrics.count_predictions([{"kind": "ham"}])
    predictions, _inputs, seconds = metrics.recent()
    assert (predictions["kind"]["ham"], seconds) == (13, 120)


def test_the_window_is_configurable(clock):
    metrics = whole_metrics(window_s=12)
    for _ in range(40):
        clock.now += 1
        metrics.count_predictions([{"kind": "ham"}])
    assert metrics.recent()[2] == 12


def test_only_numbers_are_ordered():
    metrics = whole_metrics()
    assert metrics.ordered("score") == ["(-Inf, 0.5]", "(0.5, +Inf)"]
    assert metrics.ordered("kind") == metrics.ordered("absent") == []


# A reload.


def test_the_history_restarts_with_a_new_model(clock):
    before, after = whole_metrics(), whole_metrics()
    before.count([{"kind": "ham"}], 0.1)
    clock.now += 60
    after.continue_from(before)
    after.count([{"kind": "spam"}], 0.1)
    clock.now += 5
    predictions, _inputs, seconds = after.recent()
    assert (predictions["kind"], seconds) == ({"ham": 0, "spam": 1}, 5)
    assert read(after)["n_samples_total",] == 2
    clock.now += 300
    after.count([], 0.1)
    clock.now += 10
    after.count([], 0.1)
    clock.now += 120
    assert after.recent()[2] == 120


@pytest.mark.parametrize("was_ready", [True, False])
def test_readiness_continues_in_another_layout(was_ready):
    before, after = whole_metrics(), metrics_of("a")
    if was_ready:
        before.counters.stay_ready()
    after.continue_from(before)
    assert after.counters.is_ready is was_ready
    assert after.counters is not before.counters


def test_metrics_of_other_features_start_at_zero():
    before = whole_metrics()
    after = Metrics(PREDICTION, prefix="n", info={}, features=replace(FEATURES, labels={}))
    after.counters.prepare(0)
    counted(before, {"kind": "ham"})
    after.continue_from(before)
    assert only_requests_go_on(before, after)


# Labels.


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("text", "text"),
        (7, "7"),
        (10**200, "1" + "0" * (MAX_LABEL_LENGTH - 2) + "\u2026"),
        (True, "true"),
        (None, "null"),
        (1.0, "1.0"),
        ([], "[]"),
        ({"a": 1}, '{"a": 1}'),
        ("a" * MAX_LABEL_LENGTH, "a" * MAX_LABEL_LENGTH),
        ("a" * (MAX_LABEL_LENGTH + 1), "a" * (MAX_LABEL_LENGTH - 1) + "\u2026"),
        ("\u00e4" * MAX_LABEL_LENGTH, "\u00e4" * MAX_LABEL_LENGTH),
        ("\u00e4" * (MAX_LABEL_LENGTH + 1), "\u00e4" * (MAX_LABEL_LENGTH - 1) + "\u2026"),
        (
            "\ud800" * MAX_LABEL_LENGTH,
            ("\\ud800" * MAX_LABEL_LENGTH)[: MAX_LABEL_LENGTH - 1] + "\u2026",
        ),
    ],
)
def test_a_label_is_a_string_of_limited_length(value, label):
    assert label_of(value) == label
    assert len(label) <= MAX_LABEL_LENGTH
