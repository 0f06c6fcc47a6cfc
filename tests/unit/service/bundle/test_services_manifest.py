"""The service's reading of a manifest; the builder checks the complete form."""

import json

import jsonschema
import pytest

from nachlass_builder.bundle import contents
from nachlass_service.base.errors import BundleError
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.manifest import PROVEN, SHORT_DIGITS, Slim, read_manifest
from support.manifest import EXAMPLE, example
from support.project import PROJECT


def write(path, document):
    (path / "manifest.json").write_text(json.dumps(document))
    return path


def test_the_example_conforms_to_the_schema():
    schema = json.loads((PROJECT / "docs/manifest.schema.json").read_text())
    jsonschema.validate(json.loads(EXAMPLE), schema)


def test_the_example_is_read(tmp_path):
    manifest = read_manifest(write(tmp_path, example()), proven=True)
    assert (manifest.name, manifest.version) == ("kmeans", "v1.0")
    assert manifest.prediction.labels == {"": tuple("0123456")}
    assert manifest.input.features.buckets["0"] == (0.25, 0.75)
    assert manifest.source.notebooks[0].executed == "notebook"
    assert (manifest.batch, manifest.preload) == (True, True)
    assert manifest.baseline.predictions[""]["0"] == 26
    assert manifest.memory.loaded == 101650432
    assert manifest.digest.startswith(manifest.short_digest)
    assert len(manifest.short_digest) == SHORT_DIGITS == contents.SHORT_DIGITS


def test_an_unproven_manifest_is_read_only_for_the_proof(tmp_path):
    draft = {name: fact for name, fact in example().items() if name not in PROVEN}
    draft["locks"] = {"training": "0", "resolution": "0"}
    write(tmp_path, draft)
    manifest = read_manifest(tmp_path, proven=False)
    assert (manifest.batch, manifest.preload, manifest.slim) == (False, False, Slim({}))
    with pytest.raises(
        BundleError, match=r"has no baseline, batch, digest, locks\.serving, memory, packages"
    ):
        Bundle.open(tmp_path)


@pytest.mark.parametrize("section", sorted(PROVEN))
def test_every_section_of_the_proof_is_required(tmp_path, section):
    document = example()
    del document[section]
    with pytest.raises(BundleError, match=f"has no {section}"):
        Bundle.open(write(tmp_path, document))


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"name": None}, "name is not a string"),
        ({"entry": []}, "entry is not an object"),
        ({"entry": {"validator": 1}}, "entry.validator is not a boolean"),
        ({"entry": {"predictor": 1}}, "entry.predictor is not a string"),
        ({"memory": {"loaded": True}}, "memory.loaded is not an integer"),
        ({"memory": {"loaded": 1.5}}, "memory.loaded is not an integer"),
        ({"prediction": {"ladder": ["1"]}}, r"prediction.ladder\[0\] is not a number"),
        ({"prediction": {"labels": {"a": "b"}}}, r"prediction.labels\['a'\] is not a list"),
        ({"source": {"notebooks": [{"name": "a"}]}}, r"source.notebooks\[0\].digest is missing"),
        ({"input": {"schema": 1}}, "input.schema is not an object"),
        ({"contract": "fun"}, "contract is not one of 'function', 'pipeline'"),
        ({"digest": 1}, "digest is not a string"),
        ({"digest": "0" * 63}, "digest is not 64 hexadecimal digits"),
        ({"digest": "0" * 64 + "\n"}, "digest is not 64 hexadecimal digits"),
        ({"digest": "A" * 64}, "digest is not 64 hexadecimal digits"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(tmp_path, sections, message):
    with pytest.raises(BundleError, match=f"manifest.json is damaged: {message}"):
        Bundle.open(write(tmp_path, example(**sections)))


@pytest.mark.parametrize(
    ("section", "missing"),
    [
        ("memory", "memory.loaded"),
        ("baseline", "baseline.predictions"),
        ("slim", "slim.left_out"),
    ],
)
def test_an_empty_section_of_the_proof_is_rejected(tmp_path, section, missing):
    document = {**example(), section: {}}
    with pytest.raises(BundleError, match=f"{missing} is missing"):
        Bundle.open(write(tmp_path, document))


def test_a_bundle_without_a_serving_lock_is_not_proven(tmp_path):
    document = {**example(), "locks": {"training": "0", "resolution": "0"}}
    with pytest.raises(BundleError, match=r"is not proven: .* has no locks\.serving"):
        Bundle.open(write(tmp_path, document))


def test_unused_sections_are_ignored(tmp_path):
    write(tmp_path, example(key=1, data="secret", more="new"))
    assert not hasattr(Bundle.open(tmp_path).manifest, "data")


def test_a_schema_can_be_true(tmp_path):
    manifest = read_manifest(write(tmp_path, example(input={"schema": True})), proven=True)
    assert manifest.input.schema is True


def test_a_bundle_of_an_earlier_version_has_no_synthetic_example(tmp_path):
    document = example()
    del document["input"]["synthetic"]
    assert read_manifest(write(tmp_path, document), proven=True).input.synthetic is None


@pytest.mark.parametrize(
    "name", ["../../secret", "/tmp/secret", "link", "a/../../../secret", "a\0b"]
)
@pytest.mark.parametrize("what", ["executed", "name", "working_directory", "import_folders"])
def test_a_path_outside_the_bundle_is_rejected(tmp_path, what, name):
    bundle = tmp_path / "bundle"
    (bundle / "src/a").mkdir(parents=True)
    (bundle / "a").mkdir()
    for link in ("src/link", "link.html"):
        (bundle / link).symlink_to(tmp_path / "secret")
    document = example()
    notebook = document["source"]["notebooks"][0]
    match what:
        case "import_folders":
            document["entry"][what] = [".", name]
        case "working_directory":
            document["entry"][what] = name
        case _:
            notebook[what] = name
    with pytest.raises(BundleError, match="points outside the bundle"):
        read_manifest(write(bundle, document), proven=True)


def test_a_link_within_the_bundle_is_followed(tmp_path):
    (tmp_path / "src/real").mkdir(parents=True)
    (tmp_path / "src/link").symlink_to("real")
    document = example(entry={"working_directory": "link", "import_folders": [".", "link/.."]})
    assert read_manifest(write(tmp_path, document), proven=True).entry.working_directory == "link"


@pytest.mark.parametrize("line", ["{", "5", "{}", '{"sample": 1}', "\udcff", "[" * 100_000])
def test_a_damaged_sample_is_named(tmp_path, line):
    write(tmp_path, example())
    good = '{"sample": 1, "prediction": 2}\n'
    text = f"{good}{line}\n".encode(errors="surrogateescape")
    (tmp_path / "samples.jsonl").write_bytes(text)
    with pytest.raises(BundleError, match=r"samples.jsonl.* damaged"):
        Bundle.open(tmp_path).check_samples()
    (tmp_path / "samples.jsonl").write_text(good)
    Bundle.open(tmp_path).check_samples()
