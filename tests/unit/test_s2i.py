"""The parts of assemble that need no image; tests/image runs the whole."""

import pytest

from nachlass_builder import s2i
from nachlass_builder.bundle import read_manifest, write_seed
from nachlass_builder.errors import SourceError
from nachlass_builder.report import Report

LOCK = 'lock-version = "1.0"\ncreated-by = "uv"\npackages = []\n'


@pytest.fixture
def before(tmp_path):
    """What s2i brings from the image before."""
    folder = tmp_path / "artifacts"
    write_seed(folder / s2i.LOCKS, LOCK, "decided")
    (folder / "uv").mkdir()
    (folder / "uv/cached").touch()
    return folder


def take_over(before, tmp_path):
    artifacts = s2i.Artifacts(tmp_path / "root/artifacts")
    artifacts.take_over(before, tmp_path / "root/bundle", Report())
    return artifacts


def test_artifacts_are_taken_over_with_their_lock(before, tmp_path, capsys):
    artifacts = take_over(before, tmp_path)
    assert (artifacts.uv_cache / "cached").is_file()
    assert read_manifest(tmp_path / "root/bundle")["locks"] == {"resolution": "decided"}
    assert "artifacts of the build before are used" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["lock", "manifest", "foreign"])
def test_artifacts_that_cannot_be_read_are_left_alone(before, tmp_path, capsys, damage):
    locks = before / s2i.LOCKS
    if damage == "lock":
        (locks / "pylock.training.toml").write_text("no [toml")
    elif damage == "manifest":
        (locks / "manifest.json").write_text("{")
    else:
        (locks / "manifest.json").write_text('{"schema_version": 1}')
    artifacts = take_over(before, tmp_path)
    assert not artifacts.uv_cache.exists()
    assert not (tmp_path / "root/bundle").exists()
    assert "is not used" in capsys.readouterr().err


def test_the_first_build_has_none_and_says_nothing(tmp_path, capsys):
    assert not list(take_over(tmp_path / "absent", tmp_path).folder.iterdir())
    assert capsys.readouterr().err == ""


def test_equal_seeds_are_equal_files(tmp_path):
    for name in ("one", "other"):
        write_seed(tmp_path / name, LOCK, "decided")
    facts = [
        [(path.name, path.stat().st_mtime, path.read_bytes()) for path in sorted(folder.iterdir())]
        for folder in (tmp_path / "one", tmp_path / "other")
    ]
    assert facts[0] == facts[1]


def test_programs_are_told_of_what_is_lent(tmp_path):
    for name in ("pip.conf", ".netrc", "ca.crt", "id_ed25519", "id_ed25519.pub", "known_hosts"):
        (tmp_path / name).write_text("x")
    told = s2i.lent(tmp_path)
    assert told["PIP_CONFIG_FILE"] == str(tmp_path / "pip.conf")
    assert told["NETRC"] == str(tmp_path / ".netrc")
    assert told["SSL_CERT_FILE"] == told["GIT_SSL_CAINFO"] == str(tmp_path / "ca.crt")
    assert f"-i {tmp_path}/id_ed25519 " in told["GIT_SSH_COMMAND"]
    assert ".pub" not in told["GIT_SSH_COMMAND"]
    assert "StrictHostKeyChecking=yes" in told["GIT_SSH_COMMAND"]


def test_files_that_s2i_has_emptied_are_not_there(tmp_path):
    for name in ("pip.conf", ".netrc", "ca.crt", "id_rsa"):
        (tmp_path / name).touch()
    assert set(s2i.lent(tmp_path)) == {"GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"}


def test_a_password_in_a_variable_is_warned_of(monkeypatch, capsys):
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:hunter22@example.org/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://example.org/simple")
    s2i._warn_of_credentials(Report())
    said = capsys.readouterr().err
    assert "PIP_INDEX_URL holds a password" in said
    assert "EXTRA" not in said
    assert "hunter22" not in said


def test_a_flag_says_yes_or_no(monkeypatch):
    for value, means in (("1", True), ("'1'", True), ("0", False), ("", False)):
        monkeypatch.setenv("S2I_KEEP_ARTIFACTS", value)
        assert s2i._keeps_artifacts() is means
    monkeypatch.setenv("S2I_KEEP_ARTIFACTS", "false")
    with pytest.raises(SourceError, match="S2I_KEEP_ARTIFACTS is 'false'"):
        s2i._keeps_artifacts()
