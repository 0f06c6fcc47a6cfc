"""The page for people: its content, escaping and layout."""

import json
import re
import shlex
import struct
import subprocess
import threading
from contextlib import contextmanager

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from nachlass_service.base import errors
from nachlass_service.base.settings import Settings
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.web.page import MAX_LABELS, PLACEHOLDER, model_document
from support.manifest import bundle_with, example
from support.service_page import HOSTILE, Page, app_of, hostile, page_of

LINKS = {"model", "openapi.json", "drift", "metrics", "readyz", "livez"}
NOT_LABELS = ("model.ipynb", *example()["packages"])


def test_data_files_and_parameters_are_not_published(tmp_path):
    manifest = example()
    manifest["data"]["files"] = [{"path": "/home/me/data.csv"}]
    manifest["parameters"] = {"DEPTH": "private"}
    document = model_document(bundle_with(tmp_path, **manifest), Settings.from_environ({}))
    published = json.dumps(document)
    assert "data.csv" not in published
    assert "private" not in published


def test_the_page_describes_a_built_model(kmeans):
    bundle = Bundle.open(kmeans)
    sample, prediction = next(bundle.samples())
    page = page_of(json.loads((bundle.path / "manifest.json").read_text()), bundle.path)
    assert page.blocks["title"] == [bundle.title]
    assert page.blocks["h1"] == ["kmeans"]
    assert json.loads(shlex.split(page.curl)[-1]) == sample
    answer, shown, schema = page.blocks["pre"][1:]
    assert json.loads(answer) == prediction
    assert json.loads(shown) == sample
    assert json.loads(schema) == bundle.manifest.input.schema
    assert bundle.function in page.everything
    assert page.links == {*LINKS, "notebook/1"}
    client = app_of(bundle).test_client()
    found = {link: client.get(f"/{link}").status_code for link in page.links}
    assert found == {**dict.fromkeys(page.links, 200), "readyz": 503}  # the service was not started


def test_the_page_shows_the_facts_of_the_manifest(tmp_path):
    text = re.sub(r"\s+", " ", page_of(example(), tmp_path).everything)
    for fact in (
        "version v1.0, digest 9b1d6a2f0c47",
        f"Digest {example()['digest']} Source date",
        "function, with a validator",
        "predictor, model.ipynb, cell 4, line 1",
        "0123456789abcdef0123456789abcdef01234567 no uncommitted changes in its folder",
        "200 samples",
        "2026-11-21 08:45:53 UTC Built by nachlass 0.1.0",
        "3.11.7",
        "Kind of prediction: label, one of",
    ):
        assert fact in text


@pytest.mark.parametrize("manifest", [example(), hostile()], ids=["example", "hostile"])
def test_the_page_loads_no_other_resources(manifest, tmp_path):
    page = page_of(manifest, tmp_path)
    assert all(re.match(r"data:image/|[a-z.]+(/\d+)?$|try.js$", one) for one in page.references)
    assert not {"iframe", "object", "embed", "img"} & {*page.tags}
    assert len(page.styles) == 1
    assert not re.search(r"url\(|@import|//", page.styles[0])


def test_text_from_users_is_escaped(tmp_path):
    manifest = hostile()
    page = page_of(manifest, tmp_path)
    assert {*page.tags} <= {*page_of(example(), tmp_path).tags}
    assert page.blocks["h1"] == [manifest["name"]]
    assert page.blocks["title"] == [f"{manifest['name']} {manifest['version']}"]
    assert json.loads(shlex.split(page.curl)[-1]) == manifest["input"]["example"]
    assert json.loads(page.blocks["pre"][-1]) == manifest["input"]["schema"]
    assert f"0 {HOSTILE}" in page.everything
    assert "?" in page.blocks["code"]  # half of a surrogate pair


@pytest.mark.parametrize("contract", ["function", "pipeline"])
def test_samples_are_hidden_unless_allowed(contract, tmp_path):
    sample = {"name": "Ada Lovelace"}
    manifest = example(input={"example": sample}, contract=contract)
    (tmp_path / "samples.jsonl").write_text('{"sample": {}, "prediction": "Babbage"}')
    shown = page_of(manifest, tmp_path).everything
    assert shown.count("Lovelace") == 2
    assert shown.count("Babbage") == 1
    page = page_of(manifest, tmp_path, show_samples=False)
    assert not re.search("Lovelace|Babbage", page.everything)
    made_up = manifest["input"]["synthetic"]
    body = made_up if contract == "function" else [made_up]
    assert json.loads(shlex.split(page.curl)[-1]) == body
    assert "Made up by the build; the model accepts it." in page.everything
    assert page.links == LINKS


def test_the_page_of_a_notebook_without_samples_has_a_placeholder(tmp_path):
    nothing = {"schema": True, "example": None, "synthetic": None}
    manifest = example(samples={"count": 0, "shipped": 0}, input=nothing)
    page = page_of(manifest, tmp_path)
    assert page.blocks["pre"] == [page.curl]
    assert shlex.split(page.curl)[-1] == PLACEHOLDER
    assert "The notebook has no samples" in page.everything


def test_the_curl_command_wraps_the_sample_of_a_pipeline_in_a_list(tmp_path):
    (tmp_path / "samples.jsonl").write_text('{"sample": [1, 2], "prediction": 3}')
    manifest = example(contract="pipeline", input={"example": [1, 2]})
    page = page_of(manifest, tmp_path)
    assert shlex.split(page.curl)[-1] == "[[1, 2]]"
    assert page.blocks["pre"][1:3] == ["[3]", "[1, 2]"]


@pytest.mark.parametrize("count", [MAX_LABELS, MAX_LABELS + 1, 100])
def test_the_number_of_labels_shown_is_limited(count, tmp_path):
    labels = [f"label {number}" for number in range(count)]
    page = page_of(example(prediction={"labels": {"": labels}}), tmp_path)
    more = [f"and {count - MAX_LABELS} more"] if count > MAX_LABELS else []
    assert [item for item in page.blocks["li"] if not item.startswith(NOT_LABELS)] == [
        *labels[:MAX_LABELS],
        *more,
    ]


def test_the_fields_of_a_prediction_are_listed(tmp_path):
    prediction = {
        "kind": "object",
        "fields": ["label", "scores.a", "mixed"],
        "labels": {"label": ["spam"], "mixed": ["unknown"]},
        "buckets": {"scores.a": [1.0], "mixed": [1.0]},
    }
    text = re.sub(r"\s+", " ", page_of(example(prediction=prediction), tmp_path).everything)
    assert "Kind of prediction: object, with 3 fields:" in text
    assert "label one of spam scores.a a number mixed a number, or one of unknown" in text


@pytest.mark.parametrize(
    ("answered", "verdict", "message"),
    [
        (
            [0, 1, 2, 3, 4, 5, 6] * 100,
            "steady",
            "No drift detected: PSI 0.02 over the last 700 predictions (limit 0.16).",
        ),
        (
            [4] * 1500,
            "moved",
            "Drift detected: PSI 6.90 over the last 1,500 predictions (limit 0.14).",
        ),
        ([4] * 10, "too little traffic", "Not enough predictions to detect drift: 10 in the last"),
    ],
)
def test_the_page_and_the_drift_document_show_the_verdict(answered, verdict, message, tmp_path):
    client = app_of(bundle_with(tmp_path), answered=answered).test_client()
    page = client.get("/", headers={"Accept": "text/html"}).text
    text = re.sub(r"\s+", " ", Page(page).everything)
    assert message in text
    share = 100 * answered.count(4) / len(answered)
    assert f" 4 {share:.1f}%14.0% " in text
    end = {"steady": 20, "moved": 100, "too little traffic": 100}[verdict]
    widths = re.findall(r'class="live" x="0" y="1" width="([\d.]+)"', page)
    assert float(widths[4]) == pytest.approx(100 * share / end, abs=0.01)
    document = client.get("/drift").get_json()
    assert document["verdict"] == verdict
    # Seconds pass between the page and the document.
    sentence = re.escape(document["sentence"]).replace("1\\ s", r"\d+\ s")
    assert re.search(sentence, text)
    assert document["predictions"][0]["values"][4]["baseline_share"] == 0.14


def test_drift_labels_are_escaped(tmp_path):
    manifest = example(baseline={"predictions": {HOSTILE: {HOSTILE: 100}}, "inputs": {}})
    page = page_of(manifest, tmp_path)
    assert HOSTILE in page.everything
    assert {*page.tags} <= {*page_of(example(), tmp_path).tags, "code"}


@pytest.mark.parametrize("samples", [3, 0])
@pytest.mark.parametrize("validator", [True, False])
def test_the_table_lists_every_possible_status(validator, samples, tmp_path):
    raised = (*errors.REJECTED, errors.PredictorError, errors.TimeLimitError)
    statuses = {200, *(error.status for error in raised)}
    page = page_of(example(entry={"validator": validator}, samples={"count": samples}), tmp_path)
    assert page.statuses == statuses - (set() if validator or samples else {422})


class Quiet(WSGIRequestHandler):
    """Records the requests, and prints nothing."""

    def log_request(self, code="-", size="-"):
        self.server.requested.append((self.path, int(code)))


FRAME = """<!doctype html><link rel="icon" href="data:,"><body style="margin: 0">
<iframe src="/" style="border: 0; width: {width}px; height: 3000px" onload="
  let page = this.contentDocument;
  document.title = [this.contentWindow.innerWidth, page.documentElement.clientWidth,
    page.documentElement.scrollWidth, page.body.offsetHeight]"></iframe>"""


@contextmanager
def served(app):
    """Serve the app, and at /frame/WIDTH its page in a frame that measures it."""
    app.get("/frame/<int:width>")(FRAME.format)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.requested = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/", server.requested
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def chromium(profile, *words):
    """Run headless Chromium; return its output, and fail on console messages."""
    done = subprocess.run(
        [
            "chromium",
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            "--enable-logging=stderr",
            f"--user-data-dir={profile}",
            *words,
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    return done.stdout


@pytest.mark.needs("chromium", "apt-get install chromium")
@pytest.mark.parametrize("manifest", [example(), hostile()], ids=["example", "hostile"])
def test_a_browser_shows_the_page_without_horizontal_scrolling(manifest, tmp_path):
    app = app_of(bundle_with(tmp_path, **manifest))
    profile = tmp_path / "profile"
    with served(app) as (url, requested):
        page = Page(chromium(profile, "--dump-dom", url))
        assert page.blocks["h1"] == [manifest["name"]]
        body = json.dumps(manifest["input"]["example"])
        header = "-H 'content-type: application/json'"
        assert page.curl == f"curl -s {url}predict {header} -d {shlex.quote(body)}"
        assert requested == [("/", 200), ("/try.js", 200)]  # not even an icon
        # The frame is for telephones: a window of Chromium has at least 500 px.
        for width in (320, 390, 1280):
            frame = chromium(profile, "--dump-dom", f"{url}frame/{width}")
            measured = re.search(r"<title>(\d+),(\d+),(\d+),(\d+)</title>", frame)
            window, visible, needed, height = map(int, measured.groups())
            assert window == width
            assert needed == visible
            assert height > 1000
            picture = tmp_path / f"{width}.png"
            size = max(width, 500), 1400
            words = (f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}")
            chromium(profile, *words, f"{url}frame/{width}")
            assert struct.unpack(">II", picture.read_bytes()[16:24]) == size
            assert picture.stat().st_size > 20_000  # a blank one has less
        assert {path for path, code in requested if code != 200} == set()
