"""The modes of the files that an image serves."""

from pathlib import Path

import pytest

from nachlass_builder.image.paths import make_readable


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0o600, 0o644),
        (0o664, 0o644),
        (0o770, 0o755),
        (0o400, 0o444),
        (0o4775, 0o755),
        (0o2755, 0o755),
    ],
)
def test_everyone_can_read_and_only_the_owner_can_write(tmp_path, before, after):
    path = tmp_path / "folder/file"
    path.parent.mkdir()
    path.touch()
    path.chmod(before)
    make_readable(tmp_path)
    assert path.stat().st_mode & 0o7777 == after
    assert path.parent.stat().st_mode & 0o777 == 0o755


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "outside").touch(mode=0o600)
    (tmp_path / "image").mkdir()
    (tmp_path / "image/link").symlink_to(tmp_path / "outside")
    (tmp_path / "image/nowhere").symlink_to("no-such-file")
    make_readable(tmp_path / "image")
    assert (tmp_path / "outside").stat().st_mode & 0o777 == 0o600


def test_files_of_another_user_are_left_unchanged(tmp_path, monkeypatch):
    """s2i can build as a user that does not own the builder's folder."""

    def refuse(path, mode):
        raise PermissionError(path)

    (tmp_path / "file").touch(mode=0o664)
    monkeypatch.setattr(Path, "chmod", refuse)
    make_readable(tmp_path)
