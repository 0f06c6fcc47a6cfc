"""The size of a cache and the effect of a prune."""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from filelock import FileLock

from nachlass_builder.assemble.cache_prune import prune
from nachlass_builder.assemble.cache_size import PRUNE_LOCK, REMOVING, cache_size
from nachlass_builder.foundation.errors import StorageError
from nachlass_builder.foundation.in_use import MARK, shared

DAY_S = 86400
MONTH_S = 30 * DAY_S


def write(path, size=1000, *, days=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def used(folder, days):
    """Record a use of a folder some days ago."""
    then = time.time() - days * DAY_S
    (folder / MARK).touch()
    for path in (folder / MARK, folder):
        os.utime(path, (then, then))


def environment(cache, name, days, size=1000):
    folder = cache / "envs" / name
    write(folder / "env/bin/python", size)
    used(folder, days)
    return folder


def bytecode(cache, name, days):
    folder = cache / "bytecode/cpython-311-3.11.7" / name
    write(folder / "x.pyc", 100)
    os.utime(folder, (time.time() - days * DAY_S,) * 2)
    return folder


def test_the_size_of_each_kind(tmp_path):
    environment(tmp_path, "a", 0)
    bytecode(tmp_path, "x-1", 0)
    write(tmp_path / "secrets.key", 32)
    (tmp_path / "odd").mkdir()
    os.link(tmp_path / "envs/a/env/bin/python", tmp_path / "odd/python")
    size = cache_size(tmp_path)
    kinds = {kind.name: (kind.entries, kind.size) for kind in size.kinds}
    assert kinds["environments"] == (1, 1000)
    assert kinds["compiled bytecode"] == (1, 100)
    assert kinds["records of builds"] == (0, 32)
    assert kinds["other"] == (1, 1000)
    assert size.size == 1132, "a hard-linked file is counted once"
    assert size.as_data()["kinds"][0] == {"name": "environments", "entries": 1, "bytes": 1000}
    assert size.as_text().splitlines()[0] == str(tmp_path)


def test_a_missing_cache_is_empty(tmp_path):
    assert cache_size(tmp_path / "absent").size == 0
    assert "removed nothing" in str(prune(tmp_path / "absent", 0, dry_run=False))
    assert not (tmp_path / "absent").exists()


def test_environments_unused_for_a_month_are_removed(tmp_path):
    old, new = environment(tmp_path, "old", 40), environment(tmp_path, "new", 10)
    pruned = prune(tmp_path, MONTH_S, dry_run=False)
    assert not (old / "env").exists()
    assert (new / "env/bin/python").exists()
    assert (pruned.removed, pruned.freed, pruned.in_use) == ({"environment": 1}, 1000, 0)
    assert str(pruned) == "removed 1 environment; freed 0.0 MB"
    assert not list(tmp_path.glob(".removing-*"))
    assert cache_size(tmp_path).kinds[0].entries == 1


def test_a_dry_run_writes_nothing(tmp_path):
    environment(tmp_path, "old", 40)
    bytecode(tmp_path, "x-1", 40)
    before = sorted((path, path.lstat().st_mtime) for path in tmp_path.rglob("*"))
    pruned = prune(tmp_path, MONTH_S, dry_run=True)
    assert pruned.removed == {"environment": 1, "compiled package": 1}
    assert pruned.freed == 1100
    assert str(pruned) == "would remove 1 environment, 1 compiled package; would free 0.0 MB"
    assert sorted((path, path.lstat().st_mtime) for path in tmp_path.rglob("*")) == before


def test_an_environment_without_a_usage_record_is_removed_by_its_age(tmp_path):
    folder = environment(tmp_path, "old", 40)
    (folder / MARK).unlink()
    os.utime(folder, (time.time() - 40 * DAY_S,) * 2)
    prune(tmp_path, MONTH_S, dry_run=False)
    assert not (folder / "env").exists()


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_environment_in_use_is_kept(tmp_path, dry_run):
    folder = environment(tmp_path, "old", 40)
    with shared(folder):
        pruned = prune(tmp_path, 0, dry_run=dry_run)
    assert (folder / "env/bin/python").exists()
    assert (pruned.removed, pruned.in_use) == ({}, 1)
    assert str(pruned).endswith("kept 1 folder in use")
    assert prune(tmp_path, MONTH_S, dry_run=True).removed == (
        {"environment": 1} if dry_run else {}
    ), "finding a folder in use records a use"


def test_an_unfinished_environment_is_kept_while_its_build_runs(tmp_path):
    folder = tmp_path / "envs/new"
    write(folder / "env-12345678/bin/python")
    with FileLock(folder / "lock"):
        assert prune(tmp_path, 0, dry_run=False).in_use == 1
    assert (folder / "env-12345678/bin/python").exists()
    prune(tmp_path, 0, dry_run=False)
    assert not (folder / "env-12345678").exists(), "the leftover of a killed build"


def test_bytecode_is_kept_while_it_is_linked_into_an_environment(tmp_path):
    old, new = bytecode(tmp_path, "x-1", 40), bytecode(tmp_path, "x-2", 10)
    with shared(tmp_path / "bytecode"):
        prune(tmp_path, MONTH_S, dry_run=False)
    assert old.exists()
    prune(tmp_path, MONTH_S, dry_run=False)
    assert not old.exists()
    assert new.exists()


def test_bundles_and_wheels_are_removed_and_records_are_kept(tmp_path):
    bundle, wheel = tmp_path / "bundles/b", tmp_path / "service/w"
    write(bundle / "bundle/manifest.json")
    write(wheel / "service.whl")
    records = [
        write(tmp_path / name) for name in ("built/x.json", "secrets.key", "uv/CACHEDIR.TAG")
    ]
    for folder in (bundle, wheel):
        used(folder, 40)
    pruned = prune(tmp_path, MONTH_S, dry_run=False)
    assert pruned.removed == {"bundle": 1, "wheel": 1}
    assert not (bundle / "bundle").exists()
    assert not (wheel / "service.whl").exists()
    assert all(path.exists() for path in records)


def test_hard_linked_files_do_not_count_as_freed(tmp_path):
    folder = environment(tmp_path / "cache", "old", 40)
    os.link(folder / "env/bin/python", tmp_path / "uv")
    write(folder / "env/x", 2_000_000)
    used(folder, 40)
    pruned = prune(tmp_path / "cache", MONTH_S, dry_run=False)
    assert (pruned.freed, pruned.shared) == (2_000_000, 1000)
    assert "0.0 MB more are linked" in str(pruned)


def test_leftovers_of_a_killed_prune_are_removed(tmp_path):
    write(tmp_path / "envs/.removing-12345678/0/bin/python")
    assert prune(tmp_path, MONTH_S, dry_run=False).freed == 1000
    assert not list((tmp_path / "envs").iterdir())


def test_a_folder_on_another_disk_is_pruned(tmp_path):
    shm = Path("/dev/shm")
    with TemporaryDirectory(dir=shm if shm.is_dir() else None) as other:
        (tmp_path / "bytecode").symlink_to(other)
        old = bytecode(tmp_path, "x-1", 40)
        assert prune(tmp_path, MONTH_S, dry_run=False).removed == {"compiled package": 1}
        assert not old.exists()
        assert not list(Path(other).glob(f"{REMOVING}*"))


def test_only_one_prune_runs_at_a_time(tmp_path):
    environment(tmp_path, "old", 40)
    with (
        FileLock(tmp_path / PRUNE_LOCK),
        pytest.raises(StorageError, match=f"another prune of {tmp_path} is running"),
    ):
        prune(tmp_path, MONTH_S, dry_run=False)
    assert prune(tmp_path, MONTH_S, dry_run=False).removed == {"environment": 1}


def test_a_read_only_cache_is_reported(tmp_path, monkeypatch):
    environment(tmp_path, "old", 40)

    def mkdir(self, *_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.mkdir", mkdir)
    with pytest.raises(StorageError, match="cannot be written: Permission denied"):
        prune(tmp_path, MONTH_S, dry_run=False)
    assert prune(tmp_path, MONTH_S, dry_run=True).removed == {"environment": 1}
