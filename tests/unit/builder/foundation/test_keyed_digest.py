"""A digest that reveals only whether secret values have changed."""

import hashlib

from nachlass_builder.foundation.keyed_digest import KEY, keyed_digest


def test_equal_values_have_equal_digests_only_in_the_same_cache(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    digest = keyed_digest(one, ["a", "secret"])
    assert keyed_digest(one, ["a", "secret"]) == digest
    assert keyed_digest(one, ["a", "secret2"]) != digest
    assert keyed_digest(one, ["asecret", ""]) != digest
    assert keyed_digest(two, ["a", "secret"]) != digest
    assert digest != hashlib.sha256(b"a\0secret").hexdigest()


def test_only_the_owner_can_read_the_key(tmp_path):
    keyed_digest(tmp_path, ["a\ud800"])
    assert (tmp_path / KEY).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY]
