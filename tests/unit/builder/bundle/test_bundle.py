"""Recognizing bundles, and the errors for unusable ones."""

import json

import pytest

from nachlass_builder.bundle.layout import bundle_at, missing_parts
from nachlass_builder.bundle.manifest import decode
from nachlass_builder.bundle.staging import publish, staged
from nachlass_builder.foundation.errors import SourceError
from support.manifest import example


@pytest.fixture
def bundle(tmp_path):
    """Create a folder with all parts of a bundle."""
    path = tmp_path / "bundle"
    path.mkdir()
    for part in missing_parts(path, decode(example())):
        (path / part).touch()
    (path / "manifest.json").write_text(json.dumps(example()))
    return path


def rewrite(bundle, **changes):
    """Write another manifest, without fields that are None."""
    facts = {name: fact for name, fact in {**example(), **changes}.items() if fact is not None}
    (bundle / "manifest.json").write_text(json.dumps(facts))


def test_a_complete_bundle_is_accepted(bundle):
    assert bundle_at(bundle) == decode(example())


def test_a_source_with_the_locks_of_a_bundle_is_not_a_bundle(bundle):
    (bundle / "manifest.json").unlink()
    (bundle / "model.pickle").unlink()
    assert bundle_at(bundle) is None


@pytest.mark.parametrize("text", ["{}", "[]", '{"name": "an app for browsers"}'])
def test_a_source_with_an_unrelated_manifest_is_not_a_bundle(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    assert bundle_at(tmp_path) is None
    assert bundle_at(tmp_path / "missing") is None


@pytest.mark.parametrize("section", ["entry", "samples", "data", "key"])
def test_a_manifest_without_a_section_is_damaged(bundle, section):
    rewrite(bundle, **{section: None})
    with pytest.raises(
        SourceError,
        match=f"is a damaged bundle: manifest.json: Object missing required field `{section}`",
    ):
        bundle_at(bundle)


@pytest.mark.parametrize("part", ["model.pickle", "samples.jsonl", "pylock.serving.toml"])
def test_a_bundle_with_a_missing_part_is_damaged(bundle, part):
    (bundle / part).unlink()
    with pytest.raises(SourceError, match=f"it has no {part}"):
        bundle_at(bundle)


@pytest.mark.parametrize("text", ["", "{", "\xff"])
def test_a_bundle_with_malformed_json_is_damaged(bundle, text):
    (bundle / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(SourceError, match=r"its manifest\.json cannot be read"):
        bundle_at(bundle)


@pytest.mark.parametrize("text", ["[1]", "{}", "null"])
def test_a_bundle_with_an_unrelated_manifest_is_damaged(bundle, text):
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(SourceError, match=r"damaged bundle: its manifest\.json is not a manifest"):
        bundle_at(bundle)


def test_a_bundle_of_another_schema_version_is_rejected(bundle):
    rewrite(bundle, schema_version=0)
    with pytest.raises(SourceError, match=r"is a bundle that nachlass .* cannot read"):
        bundle_at(bundle)


def test_a_manifest_with_a_wrong_type_is_damaged(bundle):
    rewrite(bundle, memory={"loaded": 1, "scoring": "much"})
    message = (
        r"damaged bundle: manifest\.json: Expected `int`, got `str` - at `\$\.memory\.scoring`"
    )
    with pytest.raises(SourceError, match=message):
        bundle_at(bundle)


@pytest.mark.parametrize("harm", ["manifest", "part", "version"])
def test_an_unusable_bundle_is_replaced(bundle, tmp_path, harm):
    match harm:
        case "manifest":
            (bundle / "manifest.json").unlink()
        case "part":
            (bundle / "model.pickle").unlink()
        case "version":
            rewrite(bundle, schema_version=0)
    with staged(bundle, tmp_path / "cache") as staging:
        (staging.bundle / "new").touch()
        publish(staging, bundle)
    assert [file.name for file in bundle.iterdir()] == ["new"]


def test_a_folder_that_is_not_a_bundle_is_never_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    with (
        pytest.raises(SourceError, match="exists and is not a bundle"),
        staged(tmp_path / "mine", tmp_path / "cache"),
    ):
        pass
    assert (tmp_path / "mine/notes.txt").exists()


def test_the_same_path_in_another_container_is_another_location(tmp_path):
    """Build in two places with the same path, like containers that share a cache."""
    first, second, cache = (tmp_path / name for name in ("first", "second", "cache"))
    place = tmp_path / "app"
    first.mkdir()
    second.mkdir()
    place.symlink_to(first)
    with staged(place / "bundle", cache):
        with (
            pytest.raises(SourceError, match="another build is writing"),
            staged(place / "bundle", cache),
        ):
            pass
        first.rename(tmp_path / "elsewhere")
        second.rename(first)
        with staged(place / "bundle", cache):
            pass
