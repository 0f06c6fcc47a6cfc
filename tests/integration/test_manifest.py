"""Builder and service agree on the manifest: both are compared with the same example."""

import json

import pytest

from nachlass_builder.bundle.contents import digest_of_bundle
from nachlass_builder.bundle.layout import is_bundle
from nachlass_builder.bundle.manifest import load_manifest
from nachlass_service.base.errors import BundleError
from nachlass_service.bundle.bundle import Bundle
from support.manifest import EXAMPLE, example


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "manifest.json").write_text(EXAMPLE, encoding="utf-8")
    return tmp_path


def shape(value):
    """Return the keys of objects, recursively; lists by their first entry."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def test_the_service_reads_the_example_manifest(bundle):
    opened = Bundle.open(bundle)
    assert not opened.is_pipeline
    assert opened.working_directory == bundle / "src"
    assert opened.import_folders == [bundle / "src"]
    assert list(opened.samples()) == []
    assert opened.place_of("/tmp/ipykernel_1/1234.py") == "model.ipynb, cell 4"
    assert opened.place_of(str(bundle / "src" / "tools" / "a.py")) == "tools/a.py"
    assert opened.place_of("/usr/lib/python3/json.py") is None


def test_the_builder_writes_manifests_like_the_example(kmeans):
    written = json.loads((kmeans / "manifest.json").read_text(encoding="utf-8"))
    agreed = example()
    for manifest in (written, agreed):
        manifest["entry"]["cells"] = manifest["baseline"]["inputs"] = {}
        manifest["packages"] = manifest["slim"]["kept"] = manifest["slim"]["left_out"] = {}
    assert shape(written) == shape(agreed)


def test_the_manifest_has_the_digest_of_its_bundle(kmeans):
    manifest = load_manifest(kmeans)
    assert manifest.digest == digest_of_bundle(kmeans, manifest)
    assert Bundle.open(kmeans).manifest.digest == manifest.digest


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_another_schema_version_is_rejected(bundle, version):
    manifest = {**example(), "schema_version": version}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    assert not is_bundle(bundle)
    with pytest.raises(BundleError, match="schema_version"):
        Bundle.open(bundle)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null"])
def test_an_invalid_manifest_is_rejected(bundle, text):
    (bundle / "manifest.json").write_text(text)
    assert not is_bundle(bundle)
    with pytest.raises(BundleError, match="not a bundle"):
        Bundle.open(bundle)
