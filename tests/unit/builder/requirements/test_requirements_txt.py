"""Requirements files and the options that pip lines share with them."""

import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.requirements.requirements_txt import (
    Listed,
    logical_lines,
    read_constraint_hashes,
    read_requirements_txt,
    read_words,
)

PLACE = Place("model.ipynb", cell=2, line=1)
DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture
def listed(tmp_path):
    """Return a function that writes these files and reads the first one."""

    def read(files):
        write(tmp_path, files)
        return read_requirements_txt(tmp_path, next(iter(files)))

    return read


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def shown(listed):
    return [str(requirement) for requirement in listed.requirements]


def words_of(root, *words, folder="."):
    listed = Listed()
    read_words(root, folder, words, PLACE, listed)
    return listed


# Lines of files.


def test_an_empty_file_lists_nothing(listed):
    found = listed({"requirements.txt": "\n# nothing\n\n"})
    assert found == Listed(files={"requirements.txt"})


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\nb", [(1, "a"), (2, "b")]),
        ("a # why\n#b\n  # c\n d", [(1, "a"), (4, "d")]),
        ("a#b", [(1, "a#b")]),
        ("a\t#b", [(1, "a")]),
        ("a \\\n  b \\\n c\nd", [(1, "a  b  c"), (4, "d")]),
        ("a\\\nb", [(1, "a b")]),
        ("a \\\n# b\nc", [(1, "a"), (3, "c")]),
        ("a \\", [(1, "a")]),
        ("\\", []),
        ("\\\n\n a", [(3, "a")]),
        ("\n\na\r\nb\r\n", [(3, "a"), (4, "b")]),
        ("git+https://x/y#egg=z", [(1, "git+https://x/y#egg=z")]),
    ],
)
def test_logical_lines_are_joined_and_numbered(text, lines):
    assert list(logical_lines(text)) == lines


def test_a_file_can_begin_with_a_byte_order_mark(listed):
    assert shown(listed({"requirements.txt": "\ufeffsix\n"})) == ["six (requirements.txt, line 1)"]
    constraints = listed({"more.txt": "-c limits.txt", "limits.txt": "\ufeffsix<2\n"}).constraints
    assert constraints == ["six<2"]


def test_options_after_a_requirement_are_dropped_and_reported(listed):
    found = listed({"requirements.txt": "six==1 --no-deps --config-settings=a=b --quiet\n"})
    assert shown(found) == ["six==1 (requirements.txt, line 1)"]
    assert found.notes == [
        (
            "requirements.txt, line 1: --no-deps has no effect in a build: "
            "dependencies are always locked too"
        ),
        (
            "requirements.txt, line 1: --config-settings has no effect in a build: "
            "packages are built with their own settings"
        ),
    ]


def test_options_after_a_constraint_are_dropped_and_reported(listed):
    found = listed({"r.txt": "-c limits.txt", "limits.txt": "six<2 --no-deps\n"})
    assert found.constraints == ["six<2"]
    assert [note.partition(":")[0] for note in found.notes] == ["limits.txt, line 1"]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("-i https://i.test/simple", ["-i", "https://i.test/simple"]),
        ("--index-url https://i.test/simple", ["--index-url", "https://i.test/simple"]),
        ("--index-url=https://i.test/?a=b", ["--index-url", "https://i.test/?a=b"]),
        ("-f wheels", ["-f", "wheels"]),
        ("--trusted-host i.test", ["--trusted-host", "i.test"]),
        ("--no-binary :all:", ["--no-binary", ":all:"]),
        ("--no-index", ["--no-index"]),
        ("--pre", ["--pre"]),
        ("--prefer-binary", ["--prefer-binary"]),
        ("--quiet", []),
        ("-U", []),
    ],
)
def test_index_options_are_kept(listed, line, options):
    found = listed({"requirements.txt": f"{line}\nsix\n"})
    assert found.options == options
    assert shown(found) == ["six (requirements.txt, line 2)"]


def test_require_hashes_is_located_at_its_first_line(listed):
    found = listed({"requirements.txt": "\n--require-hashes\n--require-hashes\n"})
    assert found.require_hashes == Place("requirements.txt", line=2)


def test_a_hash_belongs_to_its_requirement(listed):
    found = listed({"requirements.txt": f"six==1 --hash={DIGEST}\nattrs\n"})
    assert shown(found) == ["six==1 (requirements.txt, line 1)", "attrs (requirements.txt, line 2)"]
    assert [(one.requirement.text, one.digests) for one in found.hashes] == [("six==1", (DIGEST,))]


@pytest.mark.parametrize(
    ("line", "message", "remedy"),
    [
        (
            f"--hash={DIGEST}",
            "this hash belongs to no requirement",
            "end the previous line with a backslash",
        ),
        (f"./tool --hash={DIGEST}", "a folder has no hash to check", "remove the hash"),
    ],
)
def test_a_hash_without_a_requirement_is_rejected(listed, line, message, remedy):
    with pytest.raises(RequirementsError) as caught:
        listed({"requirements.txt": f"six\n{line}\n"})
    assert caught.value.message == message
    assert caught.value.place == Place("requirements.txt", line=2)
    assert caught.value.remedy == remedy


# Included files.


@pytest.mark.parametrize("option", ["-r more.txt", "-rmore.txt", "--requirement=more.txt"])
def test_requirements_of_an_included_file_are_located_there(listed, option):
    found = listed({"requirements.txt": f"{option}\nsix\n", "more.txt": "\nattrs\n"})
    assert shown(found) == ["attrs (more.txt, line 2)", "six (requirements.txt, line 2)"]
    assert found.files == {"requirements.txt", "more.txt"}


@pytest.mark.parametrize("option", ["-c more.txt", "-cmore.txt", "--constraint more.txt"])
def test_constraints_are_not_requirements(listed, option):
    found = listed({"r.txt": option, "more.txt": f"attrs==1 --hash={DIGEST}\nsix<2\n--pre\n"})
    assert found.requirements == []
    assert found.constraints == ["attrs==1", "six<2"]
    assert [str(one.requirement) for one in found.hashes] == ["attrs==1 (more.txt, line 1)"]
    assert found.options == ["--pre"]


def test_paths_are_relative_to_their_file(listed):
    found = listed(
        {
            "a/r.txt": "-r b/r.txt\n-r ../top.txt\n./wheels/x_y-1-py3-none-any.whl\n-e ./tool\n",
            "a/b/r.txt": "-r ../c.txt\n./deep\n",
            "a/c.txt": "six\n",
            "top.txt": "attrs\n",
        }
    )
    assert shown(found) == [
        "six (a/c.txt, line 1)",
        "attrs (top.txt, line 1)",
        "x_y @ a/wheels/x_y-1-py3-none-any.whl (a/r.txt, line 3)",
    ]
    assert found.local == ["a/b/deep", "a/tool"]


@pytest.mark.parametrize("path", ["absent.txt", "../requirements.txt", "folder"])
def test_a_file_outside_the_source_is_rejected(tmp_path, path):
    source = tmp_path / "source"
    write(tmp_path, {"requirements.txt": "six", "source/folder/r.txt": "six"})
    with pytest.raises(RequirementsError) as caught:
        words_of(source, "-r", path)
    assert caught.value.message == f"-r {path}: no such file in the source"
    assert caught.value.place == PLACE


# Words of a pip line in a cell.


def test_words_are_split_into_requirements_and_options(tmp_path):
    write(tmp_path, {"more.txt": "attrs"})
    found = words_of(
        tmp_path, "six", "-q", "--index-url", "https://i.test", "numpy", "-r", "more.txt", "-e", "."
    )
    assert shown(found) == [
        "six (model.ipynb, cell 2, line 1)",
        "numpy (model.ipynb, cell 2, line 1)",
        "attrs (more.txt, line 1)",
    ]
    assert found.options == ["--index-url", "https://i.test"]
    assert found.local == ["."]


@pytest.mark.parametrize("words", [["-r"], ["--requirement="], ["-e"], ["-c"]])
def test_an_option_without_its_file_is_ignored(tmp_path, words):
    assert words_of(tmp_path, "six", *words).requirements == words_of(tmp_path, "six").requirements


def test_an_option_without_its_value_has_an_empty_one(tmp_path):
    assert words_of(tmp_path, "--index-url").options == ["--index-url", ""]


def test_the_value_of_an_option_is_not_a_requirement(tmp_path):
    found = words_of(tmp_path, "--target", "six", "--retries=3", "attrs")
    assert [requirement.text for requirement in found.requirements] == ["attrs"]
    assert found.options == ["--target", "six", "--retries", "3"]
    assert found.notes == [
        (
            "model.ipynb, cell 2, line 1: --target has no effect in a build: "
            "packages are installed into the build's environment"
        )
    ]


@pytest.mark.parametrize("word", ["-", "--", "-x", "-rf", "--r=more.txt"])
def test_unknown_options_read_no_file(tmp_path, word):
    write(tmp_path, {"f": "six", "more.txt": "six"})
    assert shown(words_of(tmp_path, word)) == (["six (f, line 1)"] if word == "-rf" else [])


def test_a_line_of_a_file_is_one_option_with_its_value(listed):
    found = listed(
        {
            "r.txt": "--find-links my wheels\n-f my other wheels\n--index-url\thttps://i.test\n"
            "--trusted-host i.test=8443 x\n-r more files.txt\n",
            "more files.txt": "-e ./my tool\n--requirement deep er.txt\n",
            "deep er.txt": "six\n",
        }
    )
    assert found.options == [
        "--find-links", "my wheels", "-f", "my other wheels", "--index-url", "https://i.test",
        "--trusted-host", "i.test=8443 x",
    ]  # fmt: skip
    assert shown(found) == ["six (deep er.txt, line 1)"]
    assert found.local == ["my tool"]


# Forms of a requirement.


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("six>=1", "six>=1"),
        ("'six>=1'", "six>=1"),
        (" six ", "six"),
        ("git+https://h.test/team/tool.git", "tool @ git+https://h.test/team/tool.git"),
        ("git+https://h.test/team/tool@v1", "tool @ git+https://h.test/team/tool@v1"),
        ("hg+https://h.test/tool", "tool @ hg+https://h.test/tool"),
        ("git+https://h.test/x#egg=my.tool-a&b=c", "my.tool-a @ git+https://h.test/x#egg=my.tool-a&b=c"),
        ("https://h.test/tool-1-py3-none-any.whl", "tool @ https://h.test/tool-1-py3-none-any.whl"),
        ("http://h.test/tool-1.zip#md5=0", "tool @ http://h.test/tool-1.zip#md5=0"),
        ("file:///wheels/tool-1.tar.gz", "tool @ file:///wheels/tool-1.tar.gz"),
        ("https://h.test/my-tool-1.2.zip", "my-tool @ https://h.test/my-tool-1.2.zip"),
        ("./my-tool-1.2.tar.gz", "my-tool @ my-tool-1.2.tar.gz"),
        ("wheels/tool-1.tar.gz", "tool @ wheels/tool-1.tar.gz"),
        ("/wheels/tool-1.zip", "tool @ /wheels/tool-1.zip"),
        ("tool @ https://h.test/tool-1.zip", "tool @ https://h.test/tool-1.zip"),
    ],
)  # fmt: skip
def test_a_requirement_can_be_a_name_a_link_or_an_archive(tmp_path, word, text):
    [requirement] = words_of(tmp_path, word).requirements
    assert (requirement.text, requirement.place) == (text, PLACE)


@pytest.mark.parametrize(
    "link",
    [
        "https://h.test",
        "git+https://h.test/.git",
        "https://h.test/tool/archive/main.zip",
        "https://h.test/tool/archive/v1.2.tar.gz",
        "./main.zip",
    ],
)
def test_a_link_without_a_distribution_name_is_rejected(tmp_path, link):
    with pytest.raises(RequirementsError) as caught:
        words_of(tmp_path, link)
    assert caught.value.message == f"{link} does not name a distribution"
    assert caught.value.place == PLACE
    assert caught.value.remedy == f"write it as NAME @ {link}"


@pytest.mark.parametrize(
    ("word", "local"),
    [
        (".", "a"),
        ("..", "a/.."),
        ("./tool", "a/tool"),
        ("../tool", "a/../tool"),
        ("/tool", "/tool"),
        (".[fast]", "a"),
        ("./tool[fast,more]", "a/tool"),
    ],
)
def test_folders_are_imported_and_not_installed(tmp_path, word, local):
    found = words_of(tmp_path, word, folder="a")
    assert found.local == [local]
    assert found.requirements == []
    extras = f"{PLACE}: the extras of {word} are not installed: list their requirements"
    assert found.notes == ([extras] if "[" in word else [])


def test_a_hidden_name_is_not_a_folder(tmp_path):
    with pytest.raises(RequirementsError, match=r"'\.tool' is not a requirement"):
        words_of(tmp_path, ".tool")


# Hashes of constraints.


def test_hashes_of_constraints_are_read(tmp_path):
    path = tmp_path / "limits.txt"
    path.write_text(f"\ufeffsix<2\n\nattrs==1 \\\n  --hash={DIGEST}\n")
    [hashed] = read_constraint_hashes(path)
    assert (hashed.requirement.text, hashed.digests) == ("attrs==1", (DIGEST,))
    assert hashed.requirement.place == Place(str(path), line=3)


# Encodings and unusual files.


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
    ("line", "message"),
    [
        ("https://[::1/a.whl", "https://[::1/a.whl is not a URL: Invalid IPv6 URL"),
        ("git+https://[", "git+https://[ is not a URL: Invalid IPv6 URL"),
        ("-e git+https://[", "git+https://[ is not a URL: Invalid IPv6 URL"),
        ("a @ https://[", "'a @ https://[' is not a requirement: Invalid IPv6 URL"),
        ("my wheels/a-1-py3-none-any.whl", "'a @ my wheels/a-1-py3-none-any.whl' is not a "),
        (".whl", "'.whl @ .whl' is not a requirement: "),
    ],
)
def test_invalid_links_and_paths_are_rejected(refusal, line, message):
    error = refusal(f"numpy\n{line}\n".encode())
    assert error.message.startswith(message)
    assert str(error.place) == "requirements.txt, line 2"


def test_blank_continued_lines_are_ignored(read):
    listed = read(b"numpy\n \\\n \n\\\n\\\n\nscipy\n")
    assert [str(requirement) for requirement in listed.requirements] == [
        "numpy (requirements.txt, line 1)",
        "scipy (requirements.txt, line 7)",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_files_from_windows_are_read(read, encoding):
    mark = "\ufeff" if encoding.endswith("e") else ""
    listed = read(f"{mark}numpy==2.0\r\n# größer\r\nscipy\r\n".encode(encoding))
    assert [str(requirement) for requirement in listed.requirements] == [
        "numpy==2.0 (requirements.txt, line 1)",
        "scipy (requirements.txt, line 3)",
    ]


@pytest.mark.parametrize("content", [b"numpy # gr\xf6\xdfer\n", b"\xff\xfenumpy", b"\xff"])
def test_a_file_that_is_not_text_is_rejected(refusal, content):
    error = refusal(content)
    assert error.message == "the file is not UTF-8 text"
    assert (str(error.place), error.remedy) == ("requirements.txt", "save it as UTF-8")


@pytest.mark.parametrize("option", ["-r", "-c", "--requirement"])
@pytest.mark.parametrize("name", ["../more.txt", "{here}/source/../more.txt", "{here}/more.txt"])
def test_files_outside_the_source_are_not_read(tmp_path, option, name):
    (tmp_path / "source").mkdir()
    (tmp_path / "more.txt").write_text("numpy\n")
    name = name.format(here=tmp_path)
    (tmp_path / "source/requirements.txt").write_text(f"{option} {name}\n")
    with pytest.raises(RequirementsError) as caught:
        read_requirements_txt(tmp_path / "source", "requirements.txt")
    assert caught.value.message == f"{option} {name}: no such file in the source"
