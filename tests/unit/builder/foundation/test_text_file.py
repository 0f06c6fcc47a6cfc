"""Text files of any operating system are read, and their lines are found."""

import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.text_file import LFS_POINTER, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_removed(tmp_path, encoding):
    (tmp_path / "a.txt").write_text("größer", encoding=encoding)
    assert read_text(tmp_path, "a.txt", RequirementsError) == "größer"


@pytest.mark.parametrize("content", [b"gr\xf6\xdfer", b"\xff\xfea", b"\xfe\xff\xd8\x00"])
def test_a_file_that_is_not_text_is_rejected(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(RequirementsError, match="the file is not UTF-8 text") as caught:
        read_text(tmp_path, "a.txt", RequirementsError)
    assert (caught.value.place, caught.value.remedy) == (Place("a.txt"), "save it as UTF-8")


def test_a_git_lfs_pointer_is_reported_as_one(tmp_path):
    (tmp_path / "a.txt").write_bytes(LFS_POINTER + b"oid sha256:0\nsize 1\n")
    with pytest.raises(RequirementsError, match="only a git LFS pointer, not the file") as caught:
        read_text(tmp_path, "a.txt", RequirementsError)
    assert "git lfs pull" in caught.value.remedy
