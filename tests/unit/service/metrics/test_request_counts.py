"""Requests counted by route and status, and those lost in worker crashes."""

import pytest

from nachlass_service.metrics.metrics import Metrics
from support.manifest import prediction_with


@pytest.fixture
def metrics():
    """Return metrics of two workers; this one has the second slot."""
    made = Metrics(prediction_with(), prefix="n", info={})
    made.counters.prepare(0)
    made.counters.prepare(1)
    made.counters.use(1)
    return made


def read(metrics):
    """Return the nonzero samples by name and labels."""
    return {
        (sample.name.removeprefix("n_"), *sample.labels.values()): sample.value
        for family in metrics.collect()
        for sample in family.samples
        if sample.value and family.name != "n_model_info"
    }


def test_a_response_is_counted_by_route_and_status(metrics):
    for route, status in [("predict", 200), ("predict", 200), ("none", 400), ("page", 299)]:
        metrics.begin()
        metrics.end(route, status)
    assert read(metrics) == {
        ("requests_total", "predict", "200"): 2,
        ("requests_total", "none", "400"): 1,
        ("requests_total", "page", "other"): 1,
    }


def test_a_request_without_a_client_is_not_counted(metrics):
    metrics.begin()
    assert read(metrics) == {("requests_in_progress",): 1}
    metrics.end("predict", None)
    assert read(metrics) == {}


def test_a_crash_is_counted_with_its_lost_requests(metrics):
    for _ in range(3):
        metrics.begin()
    metrics.end("predict", 200)
    assert metrics.note_end(1) == 2
    assert read(metrics) == {
        ("requests_total", "predict", "200"): 1,
        ("requests_lost_total",): 2,
        ("workers_ended_total", "crash"): 1,
    }


def test_a_crash_does_not_affect_requests_of_other_workers(metrics):
    metrics.begin()
    metrics.counters.use(0)
    metrics.begin()
    assert metrics.note_end(1) == 1
    assert read(metrics)["requests_in_progress",] == 1


def test_a_worker_that_says_goodbye_has_not_crashed(metrics):
    metrics.begin()
    metrics.end("health", 200)
    metrics.note_clean_exit()
    assert metrics.note_end(1) is None
    assert read(metrics) == {("requests_total", "health", "200"): 1}
    assert metrics.note_end(1) == 0, "the next worker in the slot has not said goodbye"


def test_a_worker_exit_is_counted_by_its_reason(metrics):
    metrics.count_ended("time_limit")
    assert read(metrics) == {("workers_ended_total", "time_limit"): 1}
