"""Workers are killed under load: every response is correct and counted in the metrics."""

from nachlass_service.bundle.bundle import Bundle
from support.load import good, load, mixed
from support.served import served

CONNECTIONS = 16
MIX = mixed()
SECONDS = 8
"""`make soak` does the same for ten minutes."""


def test_killed_workers_lose_only_their_own_requests(kmeans, environ):
    samples = list(Bundle.open(kmeans).samples())
    with served(kmeans, environ, WEB_CONCURRENCY="2") as service:
        tally, killed = load(
            service, good(samples), connections=CONNECTIONS, seconds=SECONDS, kill_every_s=2
        )
        metrics = service.metrics()
        assert service.stop() == 0
    assert tally.wrong == []
    assert tally.answered > 500
    # A killed worker takes the requests on its connections with it.
    assert 0 < tally.lost <= killed * CONNECTIONS
    counted = sum(v for name, v in metrics.items() if name.startswith("nachlass_predictions_total"))
    assert abs(metrics["nachlass_processing_seconds_count"] - counted) <= killed
    assert tally.answered <= counted <= tally.answered + tally.lost


def test_every_kind_of_request_gets_its_status_while_workers_are_killed(unruly, environ):
    with served(unruly, environ, WEB_CONCURRENCY="2", S2I_MAX_BODY_BYTES="100000") as service:
        tally, killed = load(
            service, MIX, connections=CONNECTIONS, seconds=SECONDS, kill_every_s=SECONDS / 6
        )
        metrics = service.metrics()
        assert service.stop() == 0
    assert tally.wrong == []
    assert tally.statuses.keys() == {200, 400, 413, 422, 500}
    assert tally.lost <= killed * CONNECTIONS
    for status, name in (
        (200, "nachlass_processing_seconds_count"),
        (400, 'nachlass_rejected_total{reason="not_json"}'),
        (413, 'nachlass_rejected_total{reason="too_large"}'),
        (422, 'nachlass_rejected_total{reason="refused"}'),
        (500, "nachlass_failures_total"),
    ):
        assert tally.statuses[status] <= metrics[name] <= tally.statuses[status] + tally.lost
