"""Any requirements file, pip line or block is read, or rejected with its location."""

import tomllib
from urllib.parse import urlsplit

import pytest
import tomli_w
from hypothesis import assume, example, given
from hypothesis import strategies as st
from packaging.requirements import Requirement as Pep508
from pip._internal.req.req_file import preprocess

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.notebook.notebook import Cell, Notebook
from nachlass_builder.requirements.cell_requirements import read_pip_lines, read_script_block
from nachlass_builder.requirements.project_files import (
    read_environment_yml,
    read_pyproject,
    requires_python,
)
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import hashes_of_links, split_hashes
from nachlass_builder.requirements.requirements_txt import logical_lines, read_requirements_txt
from nachlass_builder.requirements.unmet import unmet_in_pyproject
from support.properties import may_refuse

NAMES = st.sampled_from(["numpy", "Scikit-Learn", "zope.event", "a", "A_b-9"])
SPECIFIERS = st.sampled_from(["==1", ">=2.0", "<1!3", "!=1.0+cu12", "==1.26.4rc1", "==1.*"])
MARKERS = st.sampled_from(["", "; python_version >= '3'", '; sys_platform == "linux"'])
PLAIN = st.builds(
    "{}{}{}".format,
    NAMES,
    st.sampled_from(["", "", "[x]", "[fast,x-y]"]),
    st.lists(SPECIFIERS, max_size=2).map(",".join),
)
LINKS = NAMES.map(lambda name: f"{name} @ https://x.example/{name}.zip ")
REQUIREMENTS = st.builds("{}{}".format, st.one_of(PLAIN, PLAIN, LINKS), MARKERS).map(str.strip)
HASHES = st.lists(st.sampled_from("0af").map(lambda digit: digit * 64), max_size=2, unique=True)
ENDS = st.sampled_from(["\n", "\r\n"])
NOISE = st.lists(st.sampled_from(["", "   ", "# numpy==1", "\t# a \\"]), max_size=2)
PIECES = st.sampled_from(
    "numpy ==1.0 >=2 \\ # '# c' --hash=sha256:x --hash -r more.txt -rmore.txt -c -e . -i"
    " --index-url = https://x.example/a.whl https:// git+https:// file:// https://[ https://[::1 @"
    " [x] [ ] ; python_version<'3' ' \" ./ ../ / .whl .zip a-1-py3-none-any.whl \ufeff \u2028 \x0c"
    " \x00 é ${X} ( ) ~= != === * --pre --require-hashes - -- #egg=a ? & {sys.executable} `".split(
        " "
    )
)
TEXTS = st.lists(
    st.one_of(PIECES, st.sampled_from([" ", " ", "\n", "\r\n", "\\\n", "\t"]), st.text(max_size=3)),
    max_size=12,
).map("".join)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    (folder / "more.txt").write_text("beta\n")
    return folder


@pytest.fixture(scope="module")
def read(root):
    def read(text):
        (root / "requirements.txt").write_bytes(text.encode("utf-8", "surrogatepass"))
        return read_requirements_txt(root, "requirements.txt")

    return read


@given(
    entries=st.lists(st.tuples(NOISE, REQUIREMENTS, HASHES, st.booleans()), max_size=5),
    end=ENDS,
    mark=st.sampled_from(["", "\ufeff"]),
    is_ended=st.booleans(),
)
def test_requirements_in_any_layout_are_read_with_their_lines(read, entries, end, mark, is_ended):
    lines, expected = [], []
    for noise, text, digests, has_comment in entries:
        lines += noise
        expected.append((text, len(lines) + 1, tuple(f"sha256:{digest}" for digest in digests)))
        parts = [text, *(f"    --hash=sha256:{digest}" for digest in digests)]
        lines += [f"{part} \\" for part in parts[:-1]]
        lines.append(parts[-1] + ("  # why \\" if has_comment else ""))
    listed = read(mark + end.join(lines) + (end if is_ended else ""))
    demanded = {hashed.requirement.place.line: hashed.digests for hashed in listed.hashes}
    assert [
        (one.text, one.place.line, demanded.get(one.place.line, ())) for one in listed.requirements
    ] == expected
    assert {one.place.file for one in listed.requirements} <= {"requirements.txt"}


@given(text=TEXTS)
def test_any_requirements_file_is_read_or_rejected_with_its_location(read, text):
    with may_refuse(RequirementsError, in_place=True):
        listed = read(text)
        found = [*listed.requirements, *(one.requirement for one in listed.hashes)]
        list(hashes_of_links(found))
        for requirement in found:
            assert Pep508(requirement.text).name
            assert requirement.place.file in ("requirements.txt", "more.txt")
            assert 1 <= requirement.place.line <= max(1, len(text.splitlines()))


# pip joins `a\` and `b` to `ab`, and treats a backslash after a comment as a continuation.
LAYOUT = st.lists(
    st.sampled_from(["numpy", "==1", " ", "\t", "#", " # c", "a#b", " \\\n ", "\n", "\r\n", "\n\n"])
).map("".join)


@given(text=LAYOUT)
@example(" \\\n \\\n numpy")
@example("numpy \\\n # c\n ==1")
def test_logical_lines_match_those_of_pip(text):
    assume(not any(" #" in line and line.endswith("\\") for line in f" {text}".splitlines()))
    ours = [(number, line.split()) for number, line in logical_lines(text)]
    assert ours == [(number, line.split()) for number, line in preprocess(text)]


@given(text=st.one_of(REQUIREMENTS, TEXTS))
def test_a_requirement_is_parsed_as_by_packaging(text):
    place = Place("requirements.txt", line=7)
    try:
        expected = Pep508(text.strip())
        urlsplit(expected.url or "")
    except ValueError:
        with pytest.raises(RequirementsError):
            Requirement.parse(text, place)
        return
    requirement = Requirement.parse(text, place)
    assert requirement.parsed == expected
    assert str(requirement) == f"{text.strip()} (requirements.txt, line 7)"
    if requirement.pin is not None:
        assert requirement.parsed.specifier.contains(requirement.pin, prereleases=True)


@given(requirement=REQUIREMENTS, digests=HASHES, joint=st.sampled_from(["=", " ", "   "]))
def test_hashes_are_split_from_their_requirement(requirement, digests, joint):
    options = "".join(f" --hash{joint}sha256:{digest.upper()}" for digest in digests)
    assert split_hashes(requirement + options) == (
        requirement,
        tuple(f"sha256:{digest}" for digest in digests),
    )


def notebook(*sources):
    """Return a notebook whose cells need no parsing."""
    return Notebook(
        "model.ipynb", None, tuple(Cell(n, s, False, None) for n, s in enumerate(sources, 1))
    )


HEADS = st.sampled_from(
    [
        *("%pip install", "!pip install", "! pip3 install -q", "pip install", "%uv pip install"),
        *("!{sys.executable} -m pip install", "!python3.11 -m pip install -U", "!uv pip install"),
    ]
)
TAILS = st.sampled_from(
    ["", "  # why", " && echo done", " > /dev/null", " 2>&1 | tail -1", " ; ls"]
)


@given(
    head=HEADS,
    words=st.lists(PLAIN, min_size=1, max_size=4),
    tail=TAILS,
    quote=st.sampled_from("'\""),
)
def test_pip_lines_list_the_arguments_of_pip(root, head, words, tail, quote):
    given = " \\\n  ".join(f"{quote}{word}{quote}" for word in words)
    listed = read_pip_lines(root, notebook("x = 1", f"y = 2\n\n{head} {given}{tail}"))
    assert [one.text for one in listed.requirements] == words
    assert {one.place for one in listed.requirements} == {Place("model.ipynb", 2, 3)}


@given(head=HEADS, text=TEXTS, before=TEXTS)
def test_any_pip_line_is_read_or_rejected_with_its_location(root, head, text, before):
    cell = f"{before}\n{head} {text}"
    with may_refuse(RequirementsError, in_place=True):
        for requirement in read_pip_lines(root, notebook(cell)).requirements:
            assert Pep508(requirement.text).name
            assert requirement.place.file in ("model.ipynb", "more.txt")


def block(document):
    return "".join(
        f"# {line}".rstrip() + "\n" for line in ["/// script", *document.splitlines(), "///"]
    )


@given(
    entries=st.lists(REQUIREMENTS, max_size=4),
    python=st.one_of(st.none(), SPECIFIERS),
    before=st.integers(0, 3),
)
def test_a_block_lists_the_dependencies_in_its_toml(entries, python, before):
    document = {"dependencies": entries, **({"requires-python": python} if python else {})}
    cell = "x = 1\n" * before + block(tomli_w.dumps(document))
    found, specifier, place = read_script_block(notebook(cell), [])
    assert [(one.text, one.place) for one in found] == [
        (entry, Place("model.ipynb", 1, before + 1)) for entry in entries
    ]
    assert specifier == python
    if python:
        assert "requires-python" in cell.splitlines()[place.line - 1]


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.dates(), REQUIREMENTS, st.text(max_size=4)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from("pip path workspace index sources numpy".split()), inner, max_size=3
        ),
    ),
    max_leaves=6,
)
TABLES = st.fixed_dictionaries(
    {},
    optional={
        "project": st.one_of(
            VALUES,
            st.fixed_dictionaries(
                {},
                optional={
                    "dependencies": st.one_of(VALUES, st.lists(REQUIREMENTS, max_size=3)),
                    "requires-python": VALUES,
                    "dynamic": VALUES,
                },
            ),
        ),
        "tool": st.one_of(
            VALUES,
            st.fixed_dictionaries(
                {"uv": st.one_of(VALUES, st.fixed_dictionaries({"sources": VALUES}))}
            ),
        ),
        "dependencies": VALUES,
        "requires-python": VALUES,
    },
)


def without_null(value):
    """Return a value without its null entries, which TOML cannot represent."""
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_null(item) for item in value if item is not None]
    return value


@given(document=TABLES.map(without_null))
def test_values_of_any_type_are_accepted_or_rejected_with_their_location(root, document):
    text = tomli_w.dumps(document)
    assert tomllib.loads(text) == document
    (root / "pyproject.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    for read in (
        lambda: read_pyproject(root, "pyproject.toml"),
        lambda: requires_python(root, "pyproject.toml"),
        lambda: list(unmet_in_pyproject(root, "pyproject.toml")),
        lambda: read_script_block(notebook(block(text)), []),
    ):
        with may_refuse(RequirementsError, in_place=True):
            read()


@given(
    text=st.one_of(
        TEXTS,
        st.sampled_from(["[project]\n", "dependencies:\n"]).flatmap(
            lambda head: TEXTS.map(lambda rest: head + rest)
        ),
    )
)
def test_any_document_is_read_or_rejected_with_its_location(root, text):
    content = text.encode("utf-8", "surrogatepass")
    for name in ("pyproject.toml", "environment.yml"):
        (root / name).write_bytes(content)
    for read in (
        lambda: read_pyproject(root, "pyproject.toml"),
        lambda: read_environment_yml(root, "environment.yml"),
        lambda: read_script_block(notebook(block(text)), []),
    ):
        with may_refuse(RequirementsError, in_place=True):
            read()


@given(entries=st.lists(st.tuples(st.integers(0, 2), PLAIN), min_size=1, max_size=4))
def test_the_pip_section_of_a_conda_environment_is_read(root, entries):
    lines = ["name: x", "dependencies:", "  - python", "  - pip", "  - pip:"]
    for blank, text in entries:
        lines += [""] * blank + [f'    - "{text}"' if "'" in text else f"    - '{text}'"]
    (root / "environment.yml").write_text("\n".join(lines))
    listed = read_environment_yml(root, "environment.yml")
    assert [one.text for one in listed.requirements] == [text for _blank, text in entries]
    for requirement in listed.requirements:
        assert requirement.text in lines[requirement.place.line - 1]
