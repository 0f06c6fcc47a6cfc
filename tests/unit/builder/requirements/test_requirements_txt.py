"""Requirements files that people have, and what is wrong with them."""

import pytest

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.requirements.requirements_txt import read_requirements_txt


@pytest.fixture
def read(tmp_path):
    def read(content):
        (tmp_path / "requirements.txt").write_bytes(content)
        return read_requirements_txt(tmp_path, "requirements.txt")

    return read


@pytest.fixture
def refusal(read):
    def refusal(content):
        with pytest.raises(RequirementsError) as caught:
            read(content)
        return caught.value

    return refusal


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("https://[::1/a.whl", "https://[::1/a.whl is no URL: Invalid IPv6 URL"),
        ("git+https://[", "git+https://[ is no URL: Invalid IPv6 URL"),
        ("-e git+https://[", "git+https://[ is no URL: Invalid IPv6 URL"),
        ("a @ https://[", "'a @ https://[' is not a requirement: Invalid IPv6 URL"),
        ("my wheels/a-1-py3-none-any.whl", "'a @ my wheels/a-1-py3-none-any.whl' is not a "),
        (".whl", "'.whl @ .whl' is not a requirement: "),
    ],
)
def test_links_and_paths_that_are_none_are_refused(refusal, line, said):
    refused = refusal(f"numpy\n{line}\n".encode())
    assert refused.message.startswith(said)
    assert str(refused.place) == "requirements.txt, line 2"


def test_continued_lines_of_blanks_say_nothing(read):
    listed = read(b"numpy\n \\\n \n\\\n\\\n\nscipy\n")
    assert [str(requirement) for requirement in listed.requirements] == [
        "numpy (requirements.txt, line 1)",
        "scipy (requirements.txt, line 7)",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_files_of_windows_are_read(read, encoding):
    mark = "\ufeff" if encoding.endswith("e") else ""
    listed = read(f"{mark}numpy==2.0\r\n# größer\r\nscipy\r\n".encode(encoding))
    assert [str(requirement) for requirement in listed.requirements] == [
        "numpy==2.0 (requirements.txt, line 1)",
        "scipy (requirements.txt, line 3)",
    ]


@pytest.mark.parametrize("content", [b"numpy # gr\xf6\xdfer\n", b"\xff\xfenumpy", b"\xff"])
def test_bytes_that_are_no_text_are_refused(refusal, content):
    refused = refusal(content)
    assert refused.message == "the file is not UTF-8 text"
    assert (str(refused.place), refused.remedy) == ("requirements.txt", "save it as UTF-8")


@pytest.mark.parametrize("option", ["-r", "-c", "--requirement"])
@pytest.mark.parametrize("name", ["../more.txt", "{here}/source/../more.txt", "{here}/more.txt"])
def test_files_outside_the_source_are_not_read(tmp_path, option, name):
    (tmp_path / "source").mkdir()
    (tmp_path / "more.txt").write_text("numpy\n")
    name = name.format(here=tmp_path)
    (tmp_path / "source/requirements.txt").write_text(f"{option} {name}\n")
    with pytest.raises(RequirementsError) as caught:
        read_requirements_txt(tmp_path / "source", "requirements.txt")
    assert caught.value.message == f"{option} {name}: there is no such file in the source"
