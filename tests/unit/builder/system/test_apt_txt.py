"""apt.txt as in repo2docker, but never interpreted by a shell."""

import pytest

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.system.apt_txt import apt_txt_in, read_apt_txt


@pytest.fixture
def read(tmp_path):
    def read(text, name="apt.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return [(str(package), str(package.place)) for package in read_apt_txt(tmp_path)]

    return read


def test_comments_and_blank_lines_are_skipped(read):
    text = "# system\nlibgomp1  # for LightGBM\r\n\n  g++ \nunixodbc=2.3.11-2+deb12u1\nlibgomp1\n"
    assert read(text) == [
        ("libgomp1", "apt.txt, line 2"),
        ("g++", "apt.txt, line 4"),
        ("unixodbc=2.3.11-2+deb12u1", "apt.txt, line 5"),
    ]


def test_names_and_versions_are_read(tmp_path, read):
    names = ["libstdc++6", "libglib2.0-0", "0ad", "gs=1", "libsm6=2:1.2.3-1~bpo12+1"]
    assert [name for name, _place in read("\n".join(names))] == names
    last = read_apt_txt(tmp_path)[-1]
    assert (last.name, last.version) == ("libsm6", "2:1.2.3-1~bpo12+1")


def test_a_file_from_windows_is_read(read):
    assert read("libgomp1\r\n".encode("utf-16")) == [("libgomp1", "apt.txt, line 1")]


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("-o", "one package per line"),
        ("--allow-unauthenticated", "one package per line"),
        ("libgomp1-", "one package per line"),
        ("libgomp1 libgl1", "each package on a separate line"),
        ("libgomp1, libgl1", "each package on a separate line"),
        ("libgomp1; rm -rf /", "one package per line"),
        ("$(id)", "one package per line"),
        ("libgomp1=1&&id", "one package per line"),
        ("libgomp1=", "one package per line"),
        ("libgomp1=1=2", "one package per line"),
        ("libgomp*", "one package per line"),
        ("libgomp1/stable", "one package per line"),
        ("libgomp1:i386", "one package per line"),
        ("https://example.org/a.deb", "one package per line"),
        ("./a.deb", "one package per line"),
        ("libGL1", "write libgl1"),
        ("lïbgomp1", "one package per line"),
        ("x" * 9 + "\x00", "one package per line"),
        ("١٢", "one package per line"),
    ],
)
def test_an_invalid_package_name_is_rejected(read, line, remedy):
    with pytest.raises(RequirementsError, match="is not a Debian package name") as caught:
        read(f"libodbc2\n{line}\n")
    assert str(caught.value.place) == "apt.txt, line 2"
    assert remedy in caught.value.remedy


def test_a_file_that_is_not_text_is_rejected(read):
    with pytest.raises(RequirementsError, match="not UTF-8"):
        read(b"\xff\xfa")


def test_a_missing_file_lists_no_packages(tmp_path):
    (tmp_path / "apt.txt").mkdir()
    assert apt_txt_in(tmp_path) is None
    assert read_apt_txt(tmp_path) == []


@pytest.mark.parametrize("folder", ["binder", ".binder"])
def test_the_binder_folder_takes_precedence(read, tmp_path, folder):
    assert read("libgomp1") == [("libgomp1", "apt.txt, line 1")]
    (tmp_path / folder).mkdir()
    assert apt_txt_in(tmp_path) == "apt.txt"
    assert read("libgl1", f"{folder}/apt.txt") == [("libgl1", f"{folder}/apt.txt, line 1")]


def test_two_binder_folders_are_rejected(read):
    read("libgl1", "binder/apt.txt")
    with pytest.raises(RequirementsError, match=r"both \.binder/apt.txt and binder/apt.txt"):
        read("libgl1", ".binder/apt.txt")
