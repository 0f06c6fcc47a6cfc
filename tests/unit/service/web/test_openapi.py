"""The OpenAPI document: valid, complete, and true to the manifest, the settings and the code."""

import json
import re
from types import SimpleNamespace

import jsonschema
import pytest
from openapi_spec_validator import validate
from werkzeug.test import Client

from nachlass_service.base.errors import REQUEST_ERRORS, ServiceError
from nachlass_service.base.problem import TYPE, problem_of
from nachlass_service.base.settings import Settings
from nachlass_service.batches import formats
from nachlass_service.batches.formats import types_taken, types_written
from nachlass_service.metrics.drift_report import report
from nachlass_service.metrics.metrics import Metrics
from nachlass_service.web.app import create_app
from nachlass_service.web.openapi import document as module
from nachlass_service.web.openapi.document import openapi, openapi_text
from nachlass_service.web.page import model_document
from support.manifest import bundle_with, example
from support.service_page import HOSTILE, app_of, hostile

OBJECT = {
    "type": "object",
    "properties": {"age": {"type": ["integer", "null"]}, "city": {"type": "string"}},
    "required": ["age", "city"],
}
SAMPLE = {"age": 40, "city": "Bern"}
TEXT = {"kind": "label", "labels": {"": ["ham", "spam"]}}
MANIFESTS = {
    "labels": {},
    "text labels": {"prediction": TEXT},
    "true and false": {"prediction": {"labels": {"": ["false", "true"]}}},
    "numbers": {"prediction": {"kind": "number", "labels": {}, "buckets": {"": [1.0]}}},
    "objects": {
        "input": {"schema": OBJECT, "example": SAMPLE, "synthetic": SAMPLE},
        "prediction": {
            "kind": "object",
            "fields": ["class", "shares.a", "other"],
            "labels": {"class": ["a"], "other": []},
            "buckets": {"shares.a": [0.5], "other": [0.5]},
        },
    },
    "lists": {"prediction": {"kind": "object", "fields": ["0"], "buckets": {"0": [1.0]}}},
    "mixed": {"prediction": {"kind": "mixed", "fields": ["", "a"], "buckets": {"": [1.0]}}},
    "no samples": {
        "input": {"schema": True, "example": None, "synthetic": None},
        "samples": {"count": 0, "shipped": 0},
        "prediction": {"kind": "mixed", "fields": [""], "labels": {"": []}, "buckets": {"": [0.0]}},
    },
    "pipeline": {
        "contract": "pipeline",
        "input": {"schema": {"type": "string"}, "example": "hello", "synthetic": "text"},
        "prediction": TEXT,
    },
    "pipeline of lists": {"contract": "pipeline"},
    "hostile": hostile(),
}


def document(path, manifest=None, **variables):
    bundle = bundle_with(path, **(manifest or {}))
    return openapi(bundle, Settings.from_environ(variables))


def predict_of(document):
    return document["paths"]["/predict"]["post"]


def schema_of(document, name):
    """A schema with those that it refers to, for jsonschema."""
    return {**document["components"]["schemas"][name], "components": document["components"]}


def accepts(document, name, value):
    return jsonschema.Draft202012Validator(schema_of(document, name)).is_valid(value)


@pytest.mark.parametrize("shown", ["0", "1"])
@pytest.mark.parametrize("strict", ["0", "1"])
@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_the_document_is_valid(tmp_path, manifest, strict, shown):
    settings = Settings.from_environ({"S2I_STRICT_SCHEMA": strict, "S2I_SHOW_SAMPLES": shown})
    text = openapi_text(bundle_with(tmp_path, **manifest), settings)
    found = json.loads(text)
    validate(found)
    text.encode("utf-8")
    for name in found["components"]["schemas"]:
        jsonschema.Draft202012Validator.check_schema(schema_of(found, name))


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_examples_meet_their_schemas(tmp_path, manifest):
    for shown in "01":
        found = document(tmp_path, manifest, S2I_SHOW_SAMPLES=shown)
        for kind in predict_of(found)["requestBody"]["content"].values():
            whole = {**kind["schema"], "components": found["components"]}
            for one in kind.get("examples", {}).values():
                jsonschema.validate(one["value"], whole)


def test_routes_are_those_of_the_application(tmp_path):
    for shown in "01":
        settings = Settings.from_environ({"S2I_SHOW_SAMPLES": shown})
        rules = create_app(SimpleNamespace(settings=settings)).url_map.iter_rules()
        routes = {
            (re.sub(r"<int:(\w+)>", r"{\1}", rule.rule), method.lower())
            for rule in rules
            for method in rule.methods - {"HEAD", "OPTIONS"}
        }
        paths = document(tmp_path, S2I_SHOW_SAMPLES=shown)["paths"]
        found = {(path, name) for path in paths for name in paths[path] if name != "parameters"}
        assert found == routes - {("/try.js", "get")}  # a part of the page for people


def test_operations_have_stable_names(tmp_path):
    paths = document(tmp_path, S2I_SHOW_SAMPLES="1")["paths"]
    operations = [
        operation
        for path in paths.values()
        for method, operation in path.items()
        if method in ("get", "post")
    ]
    assert [operation["operationId"] for operation in operations] == [
        "predict",
        "get_livez",
        "get_readyz",
        "get_metrics",
        "post_metrics",
        "get_model",
        "get_drift",
        "get_openapi",
        "get_index",
        "get_notebook",
    ]


def test_every_error_of_a_request_is_described():
    """The list is that of all errors with a title of their own."""
    inherited = ServiceError.title
    titled = {each for each in ServiceError.__subclasses__() if each.title != inherited}
    assert {*REQUEST_ERRORS} == titled


def test_problems_are_those_of_the_code(tmp_path):
    found = document(tmp_path)
    kind = found["components"]["schemas"]["Problem"]["properties"]["type"]
    assert kind["examples"] == [TYPE + error.code for error in REQUEST_ERRORS]
    responses = predict_of(found)["responses"]
    for error in REQUEST_ERRORS:
        assert f"`{TYPE}{error.code}`: {error.title}" in responses[str(error.status)]["description"]
        raised = error("x", 1) if error.code == "overloaded" else error("x")
        assert accepts(found, "Problem", problem_of(raised, "1"))
    for status, response in responses.items():
        if status != "200":
            assert [*response["content"]] == ["application/problem+json"]
        assert "Model-Digest" in response["headers"]
        assert ("Retry-After" in response["headers"]) == (status == "503")


def test_documents_meet_their_schemas(tmp_path):
    bundle = bundle_with(tmp_path)
    manifest = bundle.manifest
    metrics = Metrics(
        manifest.prediction,
        prefix="n",
        info={},
        features=manifest.input.features,
        baseline=manifest.baseline,
    )
    metrics.counters.prepare(0)
    for shown in "01":
        settings = Settings.from_environ({"S2I_SHOW_SAMPLES": shown})
        found = openapi(bundle, settings)
        assert accepts(found, "Model", json.loads(json.dumps(model_document(bundle, settings))))
    assert accepts(found, "Drift", report(metrics).as_json())
    assert not accepts(found, "Drift", {})


def test_a_schema_is_said_to_be_enforced_only_if_it_is(tmp_path):
    manifest = MANIFESTS["objects"]
    for strict, said in (("0", "not enforced"), ("1", "and enforced")):
        found = document(tmp_path, manifest, S2I_STRICT_SCHEMA=strict)
        sample = found["components"]["schemas"]["Sample"]
        assert said in sample["description"]
        # The service does not tell integers from other numbers.
        assert accepts(found, "Sample", {**SAMPLE, "age": 0.5}) == (strict == "1")
        assert not accepts(found, "Sample", {**SAMPLE, "age": "x"})
        assert not accepts(found, "Sample", {"age": 1})
        assert "$schema" not in sample


def test_a_model_without_samples_takes_anything(tmp_path):
    found = document(tmp_path, MANIFESTS["no samples"], S2I_STRICT_SCHEMA="1")
    assert found["components"]["schemas"]["Sample"] == {
        "description": "One sample. The notebook has no samples, so its form is unknown."
    }
    assert "There is no example" in predict_of(found)["description"]


def test_samples_are_shown_only_where_they_may_be(tmp_path):
    secret = {"input": {"example": ["secret", "secret"]}}
    shown = json.dumps(document(tmp_path, secret, S2I_SHOW_SAMPLES="1"))
    hidden = json.dumps(document(tmp_path, secret))
    assert "secret" in shown
    assert "secret" not in hidden
    request = predict_of(document(tmp_path))["requestBody"]["content"]
    assert request["application/json"]["examples"]["synthetic"]["value"] == [0.5, 0.5]
    assert request["application/x-ndjson"]["examples"]["synthetic"]["value"] == "[0.5, 0.5]\n"
    form = request["application/x-www-form-urlencoded"]["examples"]["synthetic"]["value"]
    assert form == {"json_args": "[0.5, 0.5]"}
    of_pipeline = predict_of(document(tmp_path, MANIFESTS["pipeline of lists"]))
    value = of_pipeline["requestBody"]["content"]["application/json"]["examples"]["synthetic"]
    assert value["value"] == [[0.5, 0.5]]


@pytest.mark.parametrize("shown", ["0", "1"])
def test_a_bundle_that_ships_no_rows_has_a_synthetic_example(tmp_path, shown):
    manifest = {"input": {"example": None}, "samples": {"shipped": 0}}
    found = predict_of(document(tmp_path, manifest, S2I_SHOW_SAMPLES=shown))
    assert [*found["requestBody"]["content"]["application/json"]["examples"]] == ["synthetic"]


PREDICTIONS = {
    "labels": ([3, "3", None], [True, [3], {}, 0.5]),
    "text labels": (["ham", "new", None], [1, True, []]),
    "true and false": ([True, "true", None], [1, []]),
    "numbers": ([1, 0.5, None], ["1", True, []]),
    "objects": ([{}, {"class": "b", "shares": {"a": 1}, "new": 1}], [[], "a", {"class": []}]),
    "lists": ([[1], {"0": 1}], [1, "a", None]),
    "mixed": ([1, "a", {}, None], []),
}


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_prediction_is_described_as_far_as_it_is_known(tmp_path, name):
    found = document(tmp_path, MANIFESTS[name])
    valid, others = PREDICTIONS[name]
    for value in valid:
        assert accepts(found, "Prediction", value), value
        assert accepts(found, "RowAnswer", {"prediction": value})
    for value in others:
        assert not accepts(found, "Prediction", value), value
    assert not accepts(found, "RowAnswer", {"error": {}})
    assert "enum" not in json.dumps(found["components"]["schemas"]["Prediction"])


def test_labels_are_named_but_others_are_possible(tmp_path):
    found = document(tmp_path, MANIFESTS["text labels"])
    described = found["components"]["schemas"]["Prediction"]["description"]
    assert "`ham`, `spam`; others are possible." in described


def test_a_pipeline_takes_lists(tmp_path):
    alone, several = (
        predict_of(document(tmp_path, MANIFESTS[name]))["requestBody"]["content"][
            "application/json"
        ]["schema"]
        for name in ("pipeline", "pipeline of lists")
    )
    assert [kind.get("type") for kind in alone["anyOf"]] == [None, "array"]
    assert several["type"] == "array"


def test_batches_are_those_that_the_environment_reads(tmp_path, monkeypatch):
    for has_pyarrow in (True, False):
        monkeypatch.setattr(formats, "find_spec", lambda _name, has=has_pyarrow: has or None)
        found = predict_of(document(tmp_path))
        content = [*found["requestBody"]["content"]]
        assert content[2:] == types_taken()
        assert [*found["responses"]["200"]["content"]] == types_written()
        assert ("application/vnd.apache.parquet" in content) == has_pyarrow


def test_texts_of_users_are_no_markup(tmp_path):
    found = document(tmp_path, MANIFESTS["hostile"], S2I_SHOW_SAMPLES="1")
    described = [text for text in _descriptions(found) if "<" in text]
    assert described
    for text in described:
        assert "<" not in re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert HOSTILE in found["info"]["title"]


def _descriptions(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "description" and isinstance(inner, str):
                yield inner
            else:
                yield from _descriptions(inner)


def test_the_commit_and_the_digest_are_named(tmp_path):
    manifest = example()
    described = document(tmp_path)["info"]["description"]
    assert manifest["digest"] in described
    assert f"commit `{manifest['source']['commit']}`." in described
    dirty = document(tmp_path, {"source": {"dirty": True}})["info"]["description"]
    assert "with uncommitted changes" in dirty
    without = document(tmp_path, {"source": {"commit": None}})["info"]["description"]
    assert "built outside git" in without


def test_limits_are_those_of_the_settings(tmp_path):
    said = predict_of(
        document(
            tmp_path,
            S2I_MAX_BODY_BYTES="12345",
            S2I_MAX_BATCH_ROWS="678",
            S2I_MAX_BATCH_SECONDS="9.5",
            S2I_PREDICT_TIMEOUT="7",
        )
    )["description"]
    for limit in ("12,345 bytes", "678 rows", "9.5 s", "7 s"):
        assert limit in said


def test_the_document_is_served_and_computed_once(tmp_path, monkeypatch):
    made = []
    compose = module.openapi

    def noted(*arguments):
        made.append(arguments)
        return compose(*arguments)

    monkeypatch.setattr(module, "openapi", noted)
    bundle = bundle_with(tmp_path)
    client = Client(app_of(bundle))
    assert made == []
    answers = [client.get("/openapi.json") for _ in range(3)]
    assert len(made) == 1
    for answer in answers:
        assert answer.status_code == 200
        assert answer.content_type == "application/json"
        assert answer.text == openapi_text(*made[0])
