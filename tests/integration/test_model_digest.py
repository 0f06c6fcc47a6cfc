"""The header, the metrics and the log identify the model by its digest."""

import json
import os
import signal

import pytest

from support.cells import write_notebook
from support.command import user_environment
from support.served import served

JSON, LINES, CSV = "application/json", "application/x-ndjson", "text/csv"
PREDICTED = {
    "a sample": (JSON, b"[1]", None, 200),
    "a failing sample": (JSON, b'"raise"', None, 500),
    "no JSON": (JSON, b"{", None, 400),
    "lines": (LINES, b"1\n", None, 200),
    "many lines": (LINES, b'"x"\n' * 200_000, None, 200),
    "a table": (CSV, b"a\n1\n", None, 200),
    "a list": (LINES, b"1\n", JSON, 200),
    "a broken batch": (CSV, b"a,a\n1,1\n", None, 400),
}
FRONTS = {"ours": {}, "gthread": {"GUNICORN_CMD_ARGS": "-k gthread"}}


def digest_of(bundle):
    return json.loads((bundle / "manifest.json").read_text())["digest"]


@pytest.fixture(scope="module", params=FRONTS)
def service(unruly, cache, request):
    environ = user_environment(cache)
    with served(unruly, environ, WEB_CONCURRENCY="1", **FRONTS[request.param]) as service:
        yield service


@pytest.mark.parametrize("case", PREDICTED)
def test_every_predict_response_has_the_model_digest(service, unruly, case):
    media_type, body, accept, expected = PREDICTED[case]
    headers = {"Content-Type": media_type} | ({"Accept": accept} if accept else {})
    status, response_headers, _body = service.request("POST", "/predict", body, headers)
    assert status == expected
    assert response_headers.get_all("Model-Digest") == [digest_of(unruly)]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/livez"), ("GET", "/metrics"), ("GET", "/predict"), ("GET", "/x")]
)
def test_other_responses_have_no_model_digest(service, method, path):
    assert service.request(method, path)[1]["Model-Digest"] is None


def test_metrics_log_and_model_document_have_the_digest(service, unruly):
    digest = digest_of(unruly)
    [info] = [name for name in service.metrics() if name.startswith("nachlass_model_info")]
    assert f'digest="{digest[:12]}"' in info
    assert "created" not in info
    assert service.event("serving")["digest"] == digest[:12]
    assert json.loads(service.request("GET", "/model")[2])["digest"] == digest


def test_a_reload_changes_the_digest(nachlass, environ, tmp_path):
    bundle = tmp_path / "bundle"

    def build(value):
        cells = f"# %%\ndef predictor(x):\n    return {value}\nsamples = [1]\n"
        write_notebook(tmp_path / "source/model.ipynb", cells)
        done = nachlass("build", tmp_path / "source", "-o", bundle)
        assert done.returncode == 0, done.stderr
        return digest_of(bundle)

    def answer(service):
        headers = {"Content-Type": JSON}
        _status, response_headers, body = service.request("POST", "/predict", b"1", headers)
        return json.loads(body), response_headers["Model-Digest"]

    old = build(1)
    with served(bundle, environ, "--local", WEB_CONCURRENCY="1") as service:
        new = build(2)
        assert new != old
        assert answer(service) == (1, old)
        os.kill(service.pid, signal.SIGHUP)
        service.wait_until(lambda: answer(service)[0] == 2, "no reload")
        assert answer(service) == (2, new)
        assert service.event("reloaded")["digest"] == new[:12]
        infos = [name for name in service.metrics() if name.startswith("nachlass_model_info")]
        assert [f'digest="{new[:12]}"' in info for info in infos] == [True]
