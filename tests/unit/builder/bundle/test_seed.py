"""A seed has the lock for the next build, but nothing to serve."""

import json

import pytest

from nachlass_builder.bundle.layout import TRAINING_LOCK, is_bundle
from nachlass_builder.bundle.manifest import MANIFEST
from nachlass_builder.bundle.seed import SEED, is_seed, resolution_of, write_seed
from nachlass_builder.bundle.staging import publish, staged
from support.manifest import example


@pytest.fixture
def bundle(tmp_path):
    """Create the parts of a bundle that a seed needs."""
    path = tmp_path / "bundle"
    path.mkdir()
    (path / TRAINING_LOCK).write_text("the lock")
    (path / MANIFEST).write_text(json.dumps(example(locks={"resolution": "abc"})))
    return path


@pytest.fixture
def seed(bundle, tmp_path):
    write_seed(tmp_path / "seed", bundle)
    return tmp_path / "seed"


def test_a_seed_has_the_lock_and_its_resolution(seed, bundle):
    assert (seed / TRAINING_LOCK).read_text() == "the lock"
    assert resolution_of(seed) == resolution_of(bundle) == "abc"


def test_a_seed_is_not_a_bundle_and_a_bundle_is_not_a_seed(seed, bundle):
    assert (is_seed(seed), is_bundle(seed)) == (True, False)
    assert (is_seed(bundle), is_bundle(bundle)) == (False, True)


def test_a_seed_is_replaced_by_a_bundle(seed, tmp_path):
    with staged(seed, tmp_path / "cache") as staging:
        (staging.bundle / "new").touch()
        publish(staging, seed)
    assert [file.name for file in seed.iterdir()] == ["new"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"built_by": 1, "resolution": "a"}', '{"built_by": "me"}', "\xff"]
)
def test_an_invalid_seed_has_no_resolution(seed, text):
    (seed / SEED).write_bytes(text.encode("latin-1"))
    assert not is_seed(seed)
    assert resolution_of(seed) is None


def test_a_damaged_bundle_leaves_no_seed(bundle, tmp_path):
    (bundle / MANIFEST).write_text("{}")
    with pytest.raises(ValueError, match="missing required field"):
        write_seed(tmp_path / "seed", bundle)
    assert not (tmp_path / "seed").exists()
