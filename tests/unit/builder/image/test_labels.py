"""The labels of an image describe the model."""

import pytest

from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image.labels import keep_labels, model_labels
from nachlass_builder.source.prepare import Request, prepared_source
from support.repositories import commit_all


@pytest.fixture
def labels(tmp_path):
    """Return a function for the labels of a source."""
    (tmp_path / "My Model").mkdir()
    (tmp_path / "My Model/model.ipynb").write_text("{}")

    def read(**environ):
        with prepared_source(Request(str(tmp_path / "My Model"), environ), Progress()) as prepared:
            found = model_labels(prepared)
        return {name.removeprefix("org.opencontainers.image."): found[name] for name in found}

    read.folder = tmp_path / "My Model"
    return read


def test_the_labels_of_a_commit(labels):
    (labels.folder / "pyproject.toml").write_text('[project]\nlicense = "MIT"\n')
    commit = commit_all(labels.folder, "2026-03-04T05:06:07+02:00")
    assert labels() == {
        "title": "my-model",
        "version": commit[:7],
        "revision": commit,
        "created": "2026-03-04T03:06:07+00:00",
        "licenses": "MIT",
        "io.k8s.display-name": "my-model",
    }


def test_unknown_labels_are_omitted(labels):
    found = labels(S2I_MODEL_NAME="Iris", SOURCE_DATE_EPOCH="0")
    assert found == {
        "title": "iris",
        "created": "1970-01-01T00:00:00+00:00",
        "io.k8s.display-name": "iris",
    }


def test_in_a_cluster_the_platform_sets_the_commit(labels):
    found = labels(OPENSHIFT_BUILD_COMMIT="0123456789abcdef")
    assert (found["revision"], found["version"]) == ("0123456789abcdef", "0123456")


def test_labels_are_written_one_per_line(tmp_path):
    keep_labels(tmp_path, {"b": "x=y z", "a": "1"})
    assert (tmp_path / "labels").read_text() == "a=1\nb=x=y z\n"
