import errno
import fcntl
import os
import shutil
import signal
import stat
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from nachlass_service.base.errors import BundleError
from nachlass_service.hosting.snapshot import LOCK, Snapshots
from support.forked import in_child, killed

NOBODY = 65534


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "home" / "kmeans"
    write_bundle(path, "old")
    return path


def write_bundle(path, text):
    (path / "src" / "deep").mkdir(parents=True)
    (path / "manifest.json").write_text(text)
    (path / "src" / "deep" / "data.csv").write_text(text)


def replace(bundle, text="new"):
    """Replace a bundle like a build: move the old folder away and the new one in, then delete."""
    making, before = bundle.with_name("making"), bundle.with_name("before")
    write_bundle(making, text)
    bundle.rename(before)
    making.rename(bundle)
    shutil.rmtree(before)


def folder_of(bundle):
    return bundle.with_name(f".{bundle.name}.served")


def texts(path):
    return {file.read_text() for file in path.rglob("*") if file.is_file()}


def test_a_snapshot_survives_the_replacement_of_the_bundle(bundle):
    snapshots = Snapshots(bundle, enabled=True)
    old = snapshots.take()
    assert old != bundle
    replace(bundle)
    new = snapshots.take()
    assert texts(old) == {"old"}
    assert texts(new) == texts(bundle) == {"new"}
    shutil.rmtree(bundle)
    assert texts(new) == {"new"}
    snapshots.keep_only(None)


def test_a_snapshot_uses_hard_links(bundle):
    snapshots = Snapshots(bundle, enabled=True)
    path = snapshots.take()
    assert (path / "manifest.json").samefile(bundle / "manifest.json")
    snapshots.keep_only(None)
    assert texts(bundle) == {"old"}


def test_a_snapshot_is_a_copy_if_links_are_not_supported(bundle, monkeypatch):
    def no_links(_source, _target):
        raise OSError(errno.EPERM, "no links here")

    os.utime(bundle / "manifest.json", (1, 1))
    (bundle / "manifest.json").chmod(0o640)
    monkeypatch.setattr(os, "link", no_links)
    snapshots = Snapshots(bundle, enabled=True)
    copy = snapshots.take() / "manifest.json"
    assert copy.read_text() == "old"
    assert not copy.samefile(bundle / "manifest.json")
    assert (copy.stat().st_mtime, stat.S_IMODE(copy.stat().st_mode)) == (1, 0o640)
    snapshots.keep_only(None)


def test_modes_and_symbolic_links_are_kept(bundle):
    (bundle / "src" / "run").write_text("#!")
    (bundle / "src" / "run").chmod(0o751)
    (bundle / "src" / "deep").chmod(0o750)
    (bundle / "src" / "to_file").symlink_to("deep/data.csv")
    (bundle / "src" / "to_folder").symlink_to("deep")
    (bundle / "src" / "to_nothing").symlink_to("/nowhere/at/all")
    (bundle / "src" / "empty").mkdir()
    snapshots = Snapshots(bundle, enabled=True)
    source = snapshots.take() / "src"
    assert stat.S_IMODE((source / "run").stat().st_mode) == 0o751
    assert stat.S_IMODE((source / "deep").stat().st_mode) == 0o750
    assert (source / "to_file").readlink().as_posix() == "deep/data.csv"
    assert (source / "to_folder").readlink().as_posix() == "deep"
    assert (source / "to_nothing").readlink().as_posix() == "/nowhere/at/all"
    assert (source / "to_folder" / "data.csv").read_text() == "old"
    assert (source / "empty").is_dir()
    snapshots.keep_only(None)


def test_only_the_selected_snapshot_is_kept_and_none_at_the_end(bundle):
    snapshots = Snapshots(bundle, enabled=True)
    paths = [snapshots.take() for _ in range(3)]
    assert len(set(paths)) == 3
    snapshots.keep_only(paths[1])
    assert [path.exists() for path in paths] == [False, True, False]
    snapshots.keep_only(paths[1])
    assert paths[1].exists()
    snapshots.keep_only(None)
    assert not folder_of(bundle).exists()
    snapshots.keep_only(None)
    assert texts(bundle) == {"old"}


def test_a_worker_does_not_remove_snapshots_when_it_exits(bundle):
    snapshots = Snapshots(bundle, enabled=True)
    path = snapshots.take()
    in_child(lambda: snapshots.keep_only(None))
    assert texts(path) == {"old"}
    snapshots.keep_only(None)
    assert not folder_of(bundle).exists()


# Other services of the same bundle.


def another_service(bundle):
    """Return a process that serves a snapshot until it is killed."""

    def serve(say):
        snapshots = Snapshots(bundle, enabled=True)
        snapshots.take()
        say()
        signal.pause()

    return killed(serve)


def test_snapshots_of_a_killed_service_are_removed(bundle):
    with another_service(bundle):
        (left,) = folder_of(bundle).iterdir()
    assert left.exists()
    snapshots = Snapshots(bundle, enabled=True)
    path = snapshots.take()
    assert list(folder_of(bundle).iterdir()) == [path.parent]
    snapshots.keep_only(None)
    assert not folder_of(bundle).exists()


def test_snapshots_of_a_running_service_are_kept(bundle):
    with another_service(bundle):
        (living,) = folder_of(bundle).iterdir()
        snapshots = Snapshots(bundle, enabled=True)
        path = snapshots.take()
        snapshots.take()
        assert texts(living / "bundle") == {"old"}
        snapshots.keep_only(path)
        assert set(folder_of(bundle).iterdir()) == {living, path.parent}
        snapshots.keep_only(None)
        assert list(folder_of(bundle).iterdir()) == [living]


def test_a_service_counts_as_running_while_a_worker_lives(bundle):
    gate, opened = os.pipe()

    def master():
        snapshots = Snapshots(bundle, enabled=True)
        snapshots.take()
        if not os.fork():
            os.close(opened)
            os.read(gate, 1)  # returns when the test closes it
            os._exit(0)

    in_child(master)
    (left,) = folder_of(bundle).iterdir()
    snapshots = Snapshots(bundle, enabled=True)
    snapshots.take()
    assert texts(left / "bundle") == {"old"}
    os.close(opened)
    os.close(gate)
    ends_at = time.monotonic() + 10
    while left.exists():
        assert time.monotonic() < ends_at
        time.sleep(0.005)
        snapshots.take()
    snapshots.keep_only(None)


def test_a_snapshot_being_taken_is_not_mistaken_for_a_leftover(bundle, monkeypatch):
    flock, others = fcntl.flock, []

    def after_another_has_started(file, how):
        if not others:
            others.append(Snapshots(bundle, enabled=True))
            others[0].take()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", after_another_has_started)
    snapshots = Snapshots(bundle, enabled=True)
    path = snapshots.take()
    assert (path.parent / LOCK).exists()
    others.append(Snapshots(bundle, enabled=True))
    others[1].take()
    assert texts(path) == {"old"}
    for each in (snapshots, *others):
        each.keep_only(None)
    assert not folder_of(bundle).exists()


# If no snapshot is possible.


def test_the_bundle_itself_is_served_if_no_snapshot_is_wanted(bundle):
    snapshots = Snapshots(bundle, enabled=False)
    assert snapshots.take() == bundle
    snapshots.keep_only(None)
    assert texts(bundle) == {"old"}
    assert list(bundle.parent.iterdir()) == [bundle]


def test_the_bundle_itself_is_served_if_the_folder_is_read_only():
    def serve():
        if os.geteuid() == 0:  # root can write anywhere
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        snapshots = Snapshots(bundle, enabled=True)
        assert snapshots.take() == bundle
        assert texts(snapshots.take()) == {"old"}
        snapshots.keep_only(None)

    with TemporaryDirectory() as home:
        bundle = Path(home) / "kmeans"
        write_bundle(bundle, "old")
        Path(home).chmod(0o555)
        in_child(serve)
        Path(home).chmod(0o755)
        assert list(Path(home).iterdir()) == [bundle]


@pytest.mark.parametrize("content", [None, "a file"])
def test_an_invalid_bundle_is_rejected(tmp_path, content):
    bundle = tmp_path / "home" / "kmeans"
    bundle.parent.mkdir()
    if content:
        bundle.write_text(content)
    snapshots = Snapshots(bundle, enabled=True)
    with pytest.raises(BundleError, match="kmeans cannot be read"):
        snapshots.take()
    snapshots.keep_only(None)
    assert not folder_of(bundle).exists()


def test_a_failed_snapshot_is_a_bundle_error(bundle):
    folder_of(bundle).write_text("in the way")
    with pytest.raises(BundleError):
        Snapshots(bundle, enabled=True).take()
    assert folder_of(bundle).read_text() == "in the way"


def test_a_bundle_replaced_during_the_copy_is_rejected(bundle, monkeypatch):
    link = os.link

    def link_and_replace(source, target):
        link(source, target)
        if (bundle / "manifest.json").read_text() == "old":
            replace(bundle)

    monkeypatch.setattr(os, "link", link_and_replace)
    snapshots = Snapshots(bundle, enabled=True)
    with pytest.raises(BundleError):
        snapshots.take()
    path = snapshots.take()
    assert texts(path) == {"new"}
    snapshots.keep_only(path)
    assert list(folder_of(bundle).iterdir()) == [path.parent]
    snapshots.keep_only(None)
