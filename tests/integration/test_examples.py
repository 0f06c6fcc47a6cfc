"""Every example does what its README says."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from nachlass_builder.bundle.layout import service_wheel
from nachlass_builder.bundle.manifest import load_manifest
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.packages.environment import ensure_environment
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_service.bundle.agreement import agree
from nachlass_service.bundle.bundle import Bundle
from support.project import NOT_IN_GIT
from support.served import check_samples, python_of, served

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())

CHECKED = {
    "housing": """\
notebook      model.ipynb: 8 cells
chosen by     the default name
contract      function
  predictor       model.ipynb, cell 7, line 10
  validator       model.ipynb, cell 7, line 14
  samples         model.ipynb, cell 8, line 1
  batch_predictor model.ipynb, cell 7, line 6
  requirements    model.ipynb, cell 1, line 1
requirements  5
  numpy==2.4.6                    model.ipynb, cell 1, line 1
  pandas==3.1.1                   model.ipynb, cell 1, line 1
  scikit-learn==1.9.1             model.ipynb, cell 1, line 1
  matplotlib>=3.10,<4             model.ipynb, cell 1, line 1
  seaborn~=0.13.2                 model.ipynb, cell 1, line 1
""",
    "kmeans": """\
notebook      model.ipynb: 6 cells
chosen by     the default name
contract      function
  predictor       model.ipynb, cell 4, line 1
  validator       model.ipynb, cell 4, line 9
  samples         model.ipynb, cell 5, line 1
  batch_predictor model.ipynb, cell 4, line 5
  requirements    model.ipynb, cell 1, line 1
requirements  3
  numpy==2.4.6                    model.ipynb, cell 1, line 1
  scikit-learn==1.9.1             model.ipynb, cell 1, line 1
  scipy==1.17.1                   model.ipynb, cell 1, line 1
""",
    "spam": """\
notebook      01-features.ipynb: 6 cells
notebook      02-model.ipynb: 6 cells
chosen by     S2I_SOURCE_NOTEBOOK_LIST
contract      pipeline
  samples         01-features.ipynb, cell 6, line 1
requirements  5
  cloudpickle>=3.1                requirements.txt, line 1
  numpy==2.4.6                    requirements.txt, line 2
  pandas==3.1.1                   requirements.txt, line 3
  pyarrow>=26,<27                 requirements.txt, line 4
  scikit-learn==1.9.1             requirements.txt, line 5
""",
}

MANIFEST = {
    name: {"kind": kind, "count": count, "deterministic": True, "batch": True, "contract": contract}
    for name, kind, count, contract in (
        ("housing", "number", 100, "function"),
        ("kmeans", "label", 200, "function"),
        ("spam", "label", 200, "pipeline"),
    )
}

SERVICE = {"blinker", "click", "cloudpickle", "flask", "gunicorn", "itsdangerous", "jinja2"} | {
    "httptools", "markupsafe", "prometheus-client", "uvloop", "werkzeug",
}  # fmt: skip
SKLEARN = {"joblib", "narwhals", "numpy", "scikit-learn", "scipy", "threadpoolctl"}
KEPT = {
    "housing": SERVICE | SKLEARN | {"pandas", "python-dateutil", "tzdata"},
    "kmeans": SERVICE | SKLEARN,
    "spam": SERVICE | SKLEARN | {"pyarrow"},
}
"""The serving packages: no plots, no kernel; pyarrow, where required, is for batches."""

ANSWERS = {
    "housing": lambda answer: isinstance(answer, float) and 100_000 < answer < 2_000_000,
    "kmeans": lambda answer: answer in range(7),
    "spam": lambda answer: answer == ["spam", "legitimate"],
}

REJECTED = {
    "housing": {
        '{"rooms": 4}': "the sample lacks 5 of 6 fields: `age`, `area_m2`, `distance_km`, ...",
        '"no house"': "the sample is a string, not an object",
    },
    "kmeans": {
        "[0.3]": "the sample has length 1, not 2",
        "[[0.3, 0.7]]": "this is a list of samples: send a single sample, or many as",
        '["0.3", "0.7"]': "`/0` is a string, not a number; `/1` is a string, not a number",
    },
    "spam": {
        "{}": "the sample is an object, not a string",
        "[[]]": "entry 0: the sample is a list",
    },
}
"""Requests unlike the samples of the build, and the response to them."""


PREDICT = """
import json, sys
from pathlib import Path
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.model import load_model

model = load_model(Bundle.open(Path(sys.argv[1])))
print(json.dumps([model.predict(sample) for sample in json.load(sys.stdin)]))
"""


def requests(name):
    """Return the samples that the README sends, quoted for the shell."""
    readme = (EXAMPLES / name / "README.md").read_text()
    commands = re.findall(r"^    nachlass predict \. (.*)$", readme, re.MULTILINE)
    return [shlex.split(command)[0] for command in commands]


def unseen(name, bundle):
    """Return samples that the build has not seen."""
    match name:
        case "housing":
            with (EXAMPLES / name / "data/houses.csv").open(newline="") as file:
                houses = list(csv.DictReader(file))[::15]
            decode = {"neighbourhood": str, "garden": lambda text: text == "True"}
            return [
                {
                    key: decode.get(key, float)(text) if text else None
                    for key, text in house.items()
                    if key != "price"
                }
                for house in houses
            ]
        case "kmeans":
            return [[number * 0.37 % 1, number * 0.71 % 1] for number in range(300)]
        case "spam":
            return [" ".join(sorted(text.split())) for text, _label in bundle.samples()]


def compare_with_training_environment(name, bundle, cache):
    """Check that the serving and the training environment agree on unseen samples."""
    training = ensure_environment(
        Lock.read(bundle.path / "pylock.training.toml"),
        service=service_wheel(bundle.path, load_manifest(bundle.path)),
        purpose="training",
        cache=cache,
        indexes=IndexSettings.read(os.environ, None),
        deadline=Deadline(),
        note=print,
    )
    samples = unseen(name, bundle)
    slim, full = (
        json.loads(
            subprocess.run(
                [python, "-P", "-c", PREDICT, bundle.path],
                input=json.dumps(samples),
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for python in (
            python_of(bundle.path, {**os.environ, "S2I_CACHE_DIR": str(cache)}),
            training.python,
        )
    )
    assert len(slim) == len(full) == len(samples) >= 100
    assert all(map(agree, slim, full))
    assert len({str(answer) for answer in slim}) > 1


def summary(manifest):
    """Return what the build found out about the model."""
    return {
        "kind": manifest["prediction"]["kind"],
        "count": manifest["samples"]["count"],
        "deterministic": manifest["samples"]["deterministic"],
        "batch": manifest["batch"],
        "contract": manifest["contract"],
    }


@pytest.mark.parametrize("name", NAMES)
def test_check_reports_the_contract_and_the_requirements(name, nachlass, tmp_path):
    source = shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=NOT_IN_GIT)
    checked = nachlass("check", source)
    assert (checked.stdout, checked.stderr) == (CHECKED[name], "")
    assert not (source / ".nachlass").exists()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_builds_and_predicts_as_its_readme_says(name, nachlass, environ, cache, example):
    source = example(name)
    manifest = json.loads((source / ".nachlass/bundle/manifest.json").read_text())
    assert summary(manifest) == MANIFEST[name]
    assert manifest["packages"].keys() == KEPT[name]
    training = len(manifest["packages"]) + len(manifest["slim"]["left_out"])
    assert len(manifest["packages"]) <= training / 2
    samples = requests(name)
    assert samples, "the README shows no request"
    for sample in samples:
        answer = nachlass("predict", ".", sample, cwd=source)
        assert answer.returncode == 0, answer.stderr
        assert ANSWERS[name](json.loads(answer.stdout)), answer.stdout
    compare_with_training_environment(name, Bundle.open(source / ".nachlass/bundle"), cache)
    with served(source / ".nachlass/bundle", environ) as service:
        check_samples(source / ".nachlass/bundle", service)
        check_rejected(REJECTED[name], service)
    sample, reason = next(iter(REJECTED[name].items()))
    rejected = nachlass("predict", ".", sample, cwd=source)
    assert (rejected.returncode, rejected.stdout) == (10, "")
    assert reason in rejected.stderr


def check_rejected(rejected, service):
    """Check that the response and the log report each sample as a schema error."""
    for sample, reason in rejected.items():
        status, headers, body = service.request("POST", "/predict", sample)
        problem = json.loads(body)
        assert (status, problem["type"]) == (422, "urn:nachlass:problem:schema"), body
        assert reason in problem["detail"]
        [logged] = [
            event
            for event in service.events("rejected")
            if event["request"] == headers["X-Request-Id"]
        ]
        assert logged["error"] == problem["detail"]
        assert logged["code"] == "schema"
    found = service.metrics()
    assert found['nachlass_rejected_total{reason="schema"}'] == len(rejected)
    assert found["nachlass_failures_total"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_committed_without_outputs(name):
    for path in (EXAMPLES / name).glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path
