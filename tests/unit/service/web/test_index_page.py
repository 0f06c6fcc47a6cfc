"""The index page: its order, links and explanations, and that it is well-formed and legible."""

import re
import shlex
from itertools import pairwise
from urllib.parse import urljoin

import pytest
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from nachlass_service.base.settings import Settings
from nachlass_service.metrics.drift import FALSE_ALARMS
from nachlass_service.metrics.drift_report import DriftReport
from nachlass_service.web.charts import MAX_CHARTS, MAX_ROWS
from nachlass_service.web.page import index_page
from support.manifest import bundle_with, example
from support.service_page import HOSTILE, Page, app_of, hostile, page_of

SECTIONS = ["status", "call", "input", "output", "statuses", "drift", "origin"]
NUMBERS = {
    "prediction": {"kind": "number", "labels": {}, "buckets": {"": [209289.88, 272984.02]}},
    "baseline": {
        "predictions": {
            "": {"(-Inf, 209289.88]": 50, "(209289.88, 272984.02]": 50, "(272984.02, +Inf)": 50}
        }
    },
}
PAIRS = [("ink", "paper"), ("muted", "paper"), ("accent", "paper")] + [
    (text, ground)
    for text in ("ink", "muted", "accent", "good")
    for ground in ("panel", "code")
]  # fmt: skip


def text_of(page):
    return re.sub(r"\s+", " ", page.everything)


@pytest.mark.parametrize("manifest", [example(), hostile()], ids=["example", "hostile"])
def test_sections_are_in_order_and_headings_are_nested(manifest, tmp_path):
    page = page_of(manifest, tmp_path)
    assert page.sections == SECTIONS
    assert len({*page.ids}) == len(page.ids)
    assert page.headings[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(page.headings))
    assert {"header", "main", "nav", "footer"} <= {*page.tags}


def test_the_status_shows_whether_the_service_is_ready(tmp_path):
    page = page_of(example(), tmp_path)
    assert "Not ready: the model has not been warmed up yet." in page.everything
    bundle, drift = bundle_with(tmp_path), DriftReport([], [], 1.0)
    with app_of(bundle).app_context():
        ready = index_page(bundle, Settings.from_environ({}), "http://localhost/", drift)
    assert "Ready for predictions." in Page(ready).everything


@pytest.mark.parametrize("manifest", [example(), hostile()], ids=["example", "hostile"])
def test_links_on_the_page_are_relative(manifest, tmp_path):
    page = page_of(manifest, tmp_path)
    assert page.links
    assert all(re.fullmatch(r"(#|[a-z]+/)?[\w.]+", link) for link in page.links)


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"Host": "example.org:8443"}, "http://example.org:8443/predict"),
        ({"Host": "[::1]:8080"}, "'http://[::1]:8080/predict'"),
        ({"Host": "my_model:8080"}, "http://localhost:8080/predict"),
        (
            {"Host": "inside", "X-Forwarded-Host": "outside", "X-Forwarded-Prefix": "/models"},
            "http://inside/predict",
        ),
    ],
)
def test_the_example_request_uses_the_address_of_the_page(headers, address, tmp_path):
    page = page_of(example(), tmp_path, **headers)
    assert page.curl.startswith(f"curl -s {address} -H ")
    assert shlex.split(page.curl)[2] == address.strip("'")


def test_the_example_request_includes_the_mount_point_of_the_application(tmp_path):
    client = Client(app_of(bundle_with(tmp_path)))
    answer = client.get(
        "/", headers={"Accept": "text/html"}, base_url="https://example.org/models/kmeans"
    )
    assert shlex.split(Page(answer.text).curl)[2] == "https://example.org/models/kmeans/predict"


def test_links_work_behind_a_prefix(tmp_path):
    app = app_of(bundle_with(tmp_path), show_samples=False)
    client = Client(DispatcherMiddleware(NotFound(), {"/models/kmeans": app}))
    page = "/models/kmeans/"
    links = Page(client.get(page, headers={"Accept": "text/html"}).text).links
    found = {link: client.get(urljoin(page, link)).status_code for link in links}
    assert found == {
        **dict.fromkeys(("model", "openapi.json", "drift", "metrics", "livez"), 200),
        "readyz": 503,
    }


def test_psi_and_ks_are_explained_if_they_are_shown(tmp_path):
    labels = text_of(page_of(example(baseline={"inputs": {}}), tmp_path, answered=["1"]))
    numbers = text_of(page_of(example(**NUMBERS), tmp_path, answered=[250_000.0]))
    windows = f"{1 / FALSE_ALARMS:,.0f}"
    for text in (labels, numbers):
        assert text.count("PSI (population stability index) adds up") == 1
        assert f"exceeds in about 1 of {windows} windows, means drift." in text
    assert "KS (Kolmogorov-Smirnov)" not in labels
    assert numbers.count("KS (Kolmogorov-Smirnov) is the largest gap") == 1


def test_statistics_and_intervals_are_rounded(tmp_path):
    page = page_of(example(**NUMBERS), tmp_path, answered=[250_000.0] * 2345)
    text = text_of(page)
    for fact in (
        "PSI 5.63 (limit 0.11), KS 0.33 (limit 0.17)",
        "Shares of 2,345 values now and 150 at build",
        "below 209,300",
        "209,300 to 273,000",
        "above 273,000",
        "0%50%100%",
    ):
        assert fact in text


def test_the_field_with_the_largest_shift_is_first_and_open(tmp_path):
    fields = ["a", "b", "c"]
    manifest = example(
        prediction={
            "kind": "object",
            "fields": fields,
            "labels": {field: ["x", "y"] for field in fields},
        },
        baseline={"predictions": {field: {"x": 500, "y": 500} for field in fields}, "inputs": {}},
    )
    answered = [{"a": "xy"[n % 2], "b": "x", "c": "xy"[n % 4 > 0]} for n in range(1000)]
    page = page_of(manifest, tmp_path, answered=answered)
    assert page.fields == [("b", True), ("c", False), ("a", False)]


def test_the_number_of_labels_per_chart_and_of_charts_is_limited(tmp_path):
    values = {f"value {number}": number for number in range(MAX_ROWS + 3)}
    fields = {str(number): values for number in range(MAX_CHARTS + 2)}
    page = page_of(example(baseline={"predictions": fields, "inputs": {}}), tmp_path)
    text = text_of(page)
    assert text.count("and 3 more") == MAX_CHARTS
    assert "and 2 more in /drift" in text
    assert "value 2 " not in text


def test_a_chart_of_numbers_and_labels_shows_every_bin(tmp_path):
    labels = {f"value {number}": number for number in range(MAX_ROWS + 3)}
    bins = {"(-Inf, 1.0]": 1, "(1.0, 2.0]": 1, "(2.0, +Inf)": 1}
    manifest = example(
        prediction={"kind": "mixed", "labels": {"": [*labels]}, "buckets": {"": [1.0, 2.0]}},
        baseline={"predictions": {"": {**bins, **labels}}, "inputs": {}},
    )
    text = text_of(page_of(manifest, tmp_path))
    assert "and 3 more" in text
    for shown in ("below 1", "above 2", "value 22 "):
        assert shown in text


@pytest.mark.parametrize("show_samples", [True, False])
def test_hostile_names_are_escaped(show_samples, tmp_path):
    manifest = hostile()
    manifest["packages"] = {HOSTILE: HOSTILE}
    manifest["baseline"] = {
        "predictions": {HOSTILE: {HOSTILE: 100}},
        "inputs": {HOSTILE: {HOSTILE: 100}},
    }
    manifest["input"]["schema"] = {
        "type": "object",
        "properties": {HOSTILE: {"type": HOSTILE}},
        "required": [HOSTILE],
    }
    page = page_of(manifest, tmp_path, show_samples=show_samples, Host='x"><script>')
    assert page.tags.count("script") == 1  # try.js
    assert "img" not in page.tags
    assert page.everything.count(HOSTILE) > 5


def test_the_input_is_described_field_by_field(tmp_path):
    schema = {
        "type": "object",
        "properties": {"rooms": {"type": "integer"}, "age": {"type": ["null", "number"]}},
        "required": ["rooms"],
    }
    text = text_of(page_of(example(input={"schema": schema}), tmp_path))
    assert "One sample is an object with 2 fields:" in text
    assert "rooms integeryes" in text
    assert "age number or nullno" in text
    assert "Type of one sample: array of 2 numbers" in text_of(page_of(example(), tmp_path))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_bars_have_enough_contrast(scheme, tmp_path):
    colours = schemes(page_of(example(), tmp_path).styles[0])[scheme]
    for text, ground in PAIRS:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for bar in ("live", "baseline"):
        assert contrast(colours[bar], colours["panel"]) >= 3, bar


def schemes(style):
    """Return the colours of the light and the dark scheme."""
    light, dark = re.findall(r":root \{([^}]*)\}", style)
    found = [dict(re.findall(r"--(\w+): (#\w+)", part)) for part in (light, dark)]
    return found[0], {**found[0], **found[1]}


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def test_a_field_can_be_named_like_a_method(tmp_path):
    prediction = {**example()["prediction"], "fields": ["values"], "labels": {}}
    page = page_of(example(prediction={**prediction, "buckets": {"values": [0.5]}}), tmp_path)
    assert "values" in text_of(page)
