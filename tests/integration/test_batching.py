"""Dynamic batching under load: a random mix of good, bad, rejected and broken requests."""

import http.client
import json
import random
from concurrent.futures import ThreadPoolExecutor

from support.cells import write_notebook
from support.served import served

CLIENTS = 12
REQUESTS = 60
NOTEBOOK = """# %%
import os, time
def score(x):
    if "bad" in x:
        raise ValueError("bad")
    return x["n"] * 0.1
def validator(x):
    return "refused" not in x
# %%
def predictor(x):
    time.sleep(0.002)
    return score(x)
def batch_predictor(xs):
    time.sleep(0.002)
    if "TRACE" in os.environ:
        with open(os.environ["TRACE"], "a") as file:
            print(len(xs), file=file)
    return [score(x) for x in xs]
samples = [{"n": n} for n in range(20)]
"""


def send_requests(port, seed):
    """Send a random mix over one connection; return each request with its response."""
    choose = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    outcomes = []
    for number in range(REQUESTS):
        n = 1000 * seed + number
        kind = choose.choice(["good", "good", "good", "bad", "refused", "broken"])
        body = "{" if kind == "broken" else json.dumps({"n": n, kind: True})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        with connection.getresponse() as response:
            outcomes.append((kind, n, response.status, json.loads(response.read())))
    connection.close()
    return outcomes


def test_batched_requests_get_the_same_responses_as_single_ones(built, environ, tmp_path):
    source, trace = tmp_path / "batching", tmp_path / "trace"
    write_notebook(source / "model.ipynb", NOTEBOOK)
    bundle = built(source)
    assert json.loads((bundle / "manifest.json").read_text())["batch"] is True
    with served(bundle, environ, WEB_CONCURRENCY="1", TRACE=str(trace)) as service:
        with ThreadPoolExecutor(CLIENTS) as clients:
            futures = [clients.submit(send_requests, service.port, seed) for seed in range(CLIENTS)]
            outcomes = [outcome for future in futures for outcome in future.result()]
        metrics = service.metrics()
        assert service.stop() == 0
    statuses = {"good": 200, "bad": 500, "refused": 422, "broken": 400}
    for kind, n, status, answer in outcomes:
        assert status == statuses[kind], answer
        if kind == "good":
            assert abs(answer - n * 0.1) <= 1e-6 * n
    kinds = [kind for kind, *_ in outcomes]
    assert metrics["nachlass_processing_seconds_count"] == kinds.count("good")
    assert metrics['nachlass_prediction_value_count{field=""}'] == kinds.count("good")
    assert metrics["nachlass_failures_total"] == kinds.count("bad")
    assert metrics['nachlass_rejected_total{reason="refused"}'] == kinds.count("refused")
    assert metrics['nachlass_rejected_total{reason="not_json"}'] == kinds.count("broken")
    sizes = list(map(int, trace.read_text().split()))
    assert len(sizes) < len(outcomes)
    assert max(sizes) > 2
