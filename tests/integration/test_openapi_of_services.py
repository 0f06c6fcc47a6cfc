"""The OpenAPI document of real services: true to what they answer, and the same without them."""

import json
import os
import subprocess
import sys
from urllib.parse import urlencode

import pytest

from support.project import PROJECT, TESTS
from support.served import python_of, served

EXAMPLES = PROJECT / "examples"
CONFIGURATION = """\
seed = 1
workers = 1
color = false

[generation]
database = "none"
max-examples = 3

# Its examples are texts, which types with bodies of our own do not take: they are sent below.
[phases.examples]
enabled = false

[checks.positive_data_acceptance]
expected-statuses = {accepted}

[checks.negative_data_rejection]
enabled = {is_strict}

[[operations]]
include-name = "POST /predict"
generation.max-examples = 40
"""
ACCEPTED = ["2xx", "404", "5xx"]
"""Those that schemathesis itself expects for valid data, but for statuses that we never send."""
FORM = "application/x-www-form-urlencoded"
BY_VALIDATOR = "422"
"""The status for samples that meet the schema, and that the validator rejects."""


@pytest.mark.parametrize("strict", ["1", "0"], ids=["strict", "lenient"])
@pytest.mark.parametrize("name", ["kmeans", "housing"])
def test_the_document_is_true(name, strict, built, environ, tmp_path):
    bundle = built(EXAMPLES / name)
    # The validator of `housing` has limits, which a schema that is inferred does not have.
    is_exact = strict == "1" and name == "kmeans"
    text = CONFIGURATION.format(
        accepted=json.dumps(ACCEPTED if is_exact else [*ACCEPTED, BY_VALIDATOR]),
        is_strict="true" if strict == "1" else "false",
    )
    (tmp_path / "schemathesis.toml").write_text(text)
    with served(bundle, environ, S2I_STRICT_SCHEMA=strict, S2I_SHOW_SAMPLES="1") as service:
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"],
            cwd=tmp_path,
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": "support.schemathesis_hooks",
                "PYTHONPATH": os.pathsep.join([str(TESTS), str(PROJECT / "service")]),
                "BUNDLE": str(bundle),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "9 passed" in done.stdout or "10 passed" in done.stdout, done.stdout
        assert not service.events("defect")


@pytest.mark.parametrize("name", ["kmeans", "housing", "spam"])
@pytest.mark.parametrize("shown", ["0", "1"])
def test_examples_are_accepted_and_the_command_prints_the_same(
    name, shown, built, environ, nachlass, tmp_path
):
    bundle = built(EXAMPLES / name)
    settings = {"S2I_SHOW_SAMPLES": shown, "S2I_STRICT_SCHEMA": "1", "S2I_MAX_BATCH_ROWS": "7"}
    with served(bundle, environ, **settings) as service:
        status, headers, body = service.request("GET", "/openapi.json")
        assert (status, headers["Content-Type"]) == (200, "application/json")
        content = json.loads(body)["paths"]["/predict"]["post"]["requestBody"]["content"]
        for media_type in (
            "application/json",
            "application/x-www-form-urlencoded",
            "application/x-ndjson",
        ):
            [one] = content[media_type]["examples"].values()
            status, _headers, answer = service.request(
                "POST", "/predict", _body(media_type, one["value"]), {"Content-Type": media_type}
            )
            assert status == 200
            assert b"error" not in answer
        assert service.metrics()['nachlass_requests_total{route="page",status="200"}'] == 1
    printed = nachlass("openapi", bundle, environ={**environ, **settings})
    assert printed.stdout.encode() == body
    command = [python_of(bundle, environ), "-P", "-m", "nachlass_service", "openapi", bundle]
    alone = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, check=True)
    assert alone.stdout == body
    file = tmp_path / "openapi.json"
    given = [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
    assert nachlass("openapi", bundle, "-o", file, *given).returncode == 0
    assert file.read_bytes() == body


def _body(media_type, value):
    if media_type == "application/json":
        return json.dumps(value)
    return urlencode(value) if isinstance(value, dict) else value


def test_a_file_that_cannot_be_written_or_a_bad_setting_is_an_error(built, nachlass, tmp_path):
    bundle = built(EXAMPLES / "kmeans")
    done = nachlass("openapi", bundle, "-o", tmp_path / "missing" / "openapi.json")
    assert done.returncode == 3
    assert "name another file with -o" in done.stderr
    done = nachlass("openapi", bundle, "-e", "S2I_STRICT_SCHEMA=maybe")
    assert done.returncode == 11
    assert "S2I_STRICT_SCHEMA is 'maybe': use 0 or 1" in done.stderr
