"""The requests of the original's workshop, sent to a service of examples/spam."""

import base64
import json
import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from support.command import user_environment
from support.served import served

SPAM = "you have won a free prize claim it now"
LEGITIMATE = "the meeting on friday is moved to the garden"
TOTAL = "pipeline_predictions_total"

ANY = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
FORM = {**ANY, "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def service(spam, cache):
    variables = {"S2I_APP_METRICS_PREFIX": "pipeline", "WEB_CONCURRENCY": "2"}
    with served(spam, user_environment(cache), **variables) as service:
        yield service
        assert service.stop() == 0


def form_of(texts):
    """Encode one text or several like the client."""
    as_list = [texts] if isinstance(texts, str) else texts
    return urlencode({"json_args": json.dumps(as_list)})


def score(service, texts):
    """Score texts like the client, which checks neither status nor media type."""
    _status, _headers, body = service.request("POST", "/predict", form_of(texts), FORM)
    return json.loads(body)


def metrics(service):
    """Parse the metrics like the client: numbers by name with labels."""
    _status, _headers, body = service.request("POST", "/metrics", headers=ANY)
    numbers = {}
    for line in body.decode().split("\n"):
        if line and not line.startswith("#"):
            name, number = line.rsplit(" ", 1)
            assert name not in numbers
            numbers[name] = float(number)
    return numbers


def predictions(numbers):
    """Return the sums of the documented query by value."""
    counts = Counter()
    for name, number in numbers.items():
        metric, _, labels = name.partition("{")
        if metric == TOTAL:
            _before, _, value = labels.rstrip("}").partition('value="')
            counts[value.partition('"')[0]] += number
    return counts


PAGES = 'pipeline_requests_total{route="page",status="200"}'


def increase(before, after):
    return {name: after[name] - before[name] for name in after}


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (SPAM, ["spam"]),
        ([LEGITIMATE], ["legitimate"]),
        ([SPAM, LEGITIMATE, SPAM], ["spam", "legitimate", "spam"]),
    ],
)
def test_a_text_and_a_list_of_texts_are_scored(service, texts, labels):
    assert score(service, texts) == labels


@pytest.mark.parametrize(
    "text", ["", " ", "100%", "a&b=c;d+e", 'He said "no"\n', "Grüße, 皆さん 😀"]
)
def test_every_text_gets_a_label(service, text):
    [label, second] = score(service, [text, text])
    assert label == second
    assert label in {"spam", "legitimate"}


def test_metrics_count_the_predictions_of_all_workers(service):
    before = metrics(service)
    requests = [[SPAM] * 3, [LEGITIMATE, SPAM], LEGITIMATE] * 20
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda texts: score(service, texts), requests))
    assert {len(answer) for answer in answers} == {3, 2, 1}
    after = metrics(service)
    counted = increase(predictions(before), predictions(after))
    assert counted == {"spam": 80, "legitimate": 40}
    assert counted == Counter(label for answer in answers for label in answer)
    more = increase(before, after)
    assert more["pipeline_processing_seconds_count"] == len(requests)
    assert more["pipeline_processing_seconds_sum"] > 0
    # Every worker returns the same; these requests count, too.
    for _ in range(10):
        more = increase(after, metrics(service))
        assert {name for name in more if more[name]} == {PAGES}


def test_one_large_request_is_scored_and_counted(service):
    texts = [f"{SPAM} " * 40 + str(number) for number in range(1900)]
    texts += [f"{LEGITIMATE} " * 40 + str(number) for number in range(100)]
    assert 3_000_000 < len(form_of(texts)) < 16 << 20
    before = predictions(metrics(service))
    assert score(service, texts) == ["spam"] * 1900 + ["legitimate"] * 100
    after = predictions(metrics(service))
    assert increase(before, after) == {"spam": 1900, "legitimate": 100}


class Touch:
    """Creates a file where its pickle is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def pickled(value):
    """Encode a value like the former field `args`."""
    return base64.b64encode(pickle.dumps(value))


def test_a_pickle_is_rejected_and_never_loaded(service, tmp_path):
    pickle.loads(pickle.dumps(Touch(tmp_path / "here")))
    assert (tmp_path / "here").exists()
    args = pickled(Touch(tmp_path / "there"))
    status, headers, body = service.request("POST", "/predict", urlencode({"args": args}), FORM)
    assert (status, headers["Content-Type"]) == (415, "application/problem+json")
    assert "json" in json.loads(body)["detail"].lower()
    both = urlencode({"args": args, "json_args": json.dumps([SPAM])})
    status, _headers, body = service.request("POST", "/predict", both, FORM)
    assert (status, json.loads(body)) == (200, ["spam"])
    assert not (tmp_path / "there").exists()
