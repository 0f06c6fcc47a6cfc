"""Workers are killed under load: no answer is wrong, and the metrics count what was answered."""

from load import load
from nachlass_service.bundle import Bundle
from served import served

CONNECTIONS = 16


def test_killed_workers_lose_only_what_they_had_begun(kmeans, environ):
    samples = list(Bundle.open(kmeans).samples())
    with served(kmeans, environ, WEB_CONCURRENCY="2") as service:
        tally, killed = load(service, samples, connections=CONNECTIONS, seconds=8, kill_every_s=2)
        metrics = service.metrics()
        assert service.stop() == 0
    assert tally.wrong == []
    assert tally.answered > 500
    # A killed worker takes the requests on its connections with it.
    assert 0 < tally.lost <= killed * CONNECTIONS
    counted = sum(v for name, v in metrics.items() if name.startswith("nachlass_predictions_total"))
    assert abs(metrics["nachlass_processing_seconds_count"] - counted) <= killed
    assert tally.answered <= counted <= tally.answered + tally.lost
