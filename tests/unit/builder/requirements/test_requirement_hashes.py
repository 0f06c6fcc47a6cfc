import tomllib

import pytest
from test_requirements import found  # noqa: F401 - a fixture

from nachlass_builder.cli.summary import print_requirements
from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.packages.locked_hashes import check_all_hashed, restrict
from nachlass_builder.requirements.check import check
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed, hashes_of_links, split_hashes
from support.cells import write_notebook
from support.wheels import ELSEWHERE

WHEEL, SDIST, OTHER = "a" * 64, "b" * 64, "c" * 64
LOCK = f"""
lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "alpha"
version = "1.0"
sdist = {{ url = "https://me:secret@i.test/alpha-1.0.tar.gz", hashes = {{ sha256 = "{SDIST}" }} }}
wheels = [
    {{ url = "https://i.test/alpha-1.0-py3-none-any.whl", hashes = {{ sha256 = "{WHEEL}" }} }},
    {{ url = "https://i.test/alpha-1.0-{ELSEWHERE}.whl", hashes = {{ sha256 = "{OTHER}" }} }},
]

[[packages]]
name = "beta"
version = "2.0"
archive = {{ url = "https://i.test/beta-2.0-py3-none-any.whl", hashes = {{ sha256 = "{WHEEL}" }} }}

[[packages]]
name = "gamma"
vcs = {{ type = "git", url = "https://i.test/gamma.git", commit-id = "{"d" * 40}" }}
"""


def demand(text, *digests, line=4):
    place = Place("requirements.txt", line=line)
    return Hashed(Requirement(text, place), tuple(f"sha256:{digest}" for digest in digests))


def files(*demands):
    """The files that are left of alpha."""
    package = tomllib.loads(restrict(LOCK, demands))["packages"][0]
    left = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
    return [file["hashes"]["sha256"] for file in left]


@pytest.mark.parametrize(
    ("demands", "left"),
    [
        ([], [WHEEL, OTHER, SDIST]),
        ([demand("alpha==1.0", WHEEL)], [WHEEL]),
        ([demand("alpha==1.0", WHEEL, SDIST)], [WHEEL, SDIST]),
        ([demand("Alpha", WHEEL.upper().lower())], [WHEEL]),
        ([demand("alpha==1.0", SDIST)], [SDIST]),
        ([demand("alpha==1.0", SDIST, OTHER)], [SDIST]),
        ([demand("alpha==1.0", WHEEL, SDIST), demand("alpha<2", WHEEL)], [WHEEL]),
        ([demand("alpha==0.9", "f" * 64)], [WHEEL, OTHER, SDIST]),
        ([demand("alpha==1.0; python_version < '3'", "f" * 64)], [WHEEL, OTHER, SDIST]),
        ([demand("alpha @ https://elsewhere.example/a.whl", "f" * 64)], [WHEEL, OTHER, SDIST]),
    ],
)
def test_a_lock_keeps_the_files_that_have_the_hashes(demands, left):
    assert files(*demands) == left


@pytest.mark.parametrize("digests", [["f" * 64], [OTHER]])
def test_a_hash_of_no_file_for_this_python_is_refused(digests):
    with pytest.raises(RequirementsError) as refused:
        files(demand("alpha==1.0", *digests))
    said = str(refused.value)
    assert "requirements.txt, line 4: no file of alpha 1.0 for this Python has the hash" in said
    assert f"alpha-1.0-py3-none-any.whl  sha256:{WHEEL}" in said
    assert "secret" not in said


def test_two_lines_that_share_no_hash_are_refused():
    with pytest.raises(RequirementsError, match="no file of alpha"):
        files(demand("alpha==1.0", WHEEL), demand("alpha==1.0", SDIST, line=9))


def test_the_hash_of_a_link_is_enforced():
    link = Requirement(f"beta @ https://i.test/beta-2.0-py3-none-any.whl#sha256={OTHER}", "")
    with pytest.raises(RequirementsError, match=r"no file of beta 2\.0"):
        restrict(LOCK, list(hashes_of_links([link])))
    restrict(LOCK, [demand("beta @ https://i.test/beta-2.0-py3-none-any.whl", WHEEL)])


def test_a_link_with_an_unreadable_hash_is_refused():
    link = Requirement("beta @ https://i.test/beta-2.0.zip#sha256=", Place("x"))
    with pytest.raises(RequirementsError, match="x: --hash=sha256: is no hash"):
        list(hashes_of_links([link]))


def test_a_repository_has_no_hash():
    with pytest.raises(RequirementsError, match="a folder or a repository"):
        restrict(LOCK, [demand("gamma @ git+https://i.test/gamma.git", WHEEL)])


def test_hashes_that_no_lock_has_are_refused():
    with pytest.raises(RequirementsError, match="sha384 and sha512 hashes cannot be checked"):
        Hashed(Requirement("alpha", Place("x")), ("sha512:aa", "sha384:bb"))


def test_hashes_are_read_in_every_spelling():
    assert split_hashes("a==1 --hash=sha256:AA --hash sha256:bb --hash='sha256:cc'") == (
        "a==1",
        ("sha256:aa", "sha256:bb", "sha256:cc"),
    )


def test_hashes_of_files_and_what_they_include_are_found(found):  # noqa: F811
    gathered = found(
        {
            "requirements.txt": (
                "-r more.txt\n-c limits.txt\n"
                "alpha==1 ; python_version > '3' \\\n"
                f"  --hash=sha256:{WHEEL} \\\n  --hash=sha256:{SDIST}\n"
            ),
            "more.txt": f"beta==1 --hash=sha256:{OTHER} --no-deps\n--require-hashes\n",
            "limits.txt": f"gamma==3 \\\n    --hash=sha256:{WHEEL}\n",
            "environment.yml": f"dependencies:\n  - pip:\n    - delta==1 --hash=sha256:{SDIST}\n",
        },
        f'# %%\nrequirements = ["alpha==1", "eta @ https://i.test/eta-1.zip#sha256={WHEEL}"]',
    )
    assert [(str(one.requirement), one.digests) for one in gathered.hashes] == [
        ("beta==1 (more.txt, line 1)", (f"sha256:{OTHER}",)),
        ("gamma==3 (limits.txt, line 1)", (f"sha256:{WHEEL}",)),
        (
            "alpha==1 ; python_version > '3' (requirements.txt, line 3)",
            (f"sha256:{WHEEL}", f"sha256:{SDIST}"),
        ),
        ("delta==1 (environment.yml, line 3)", (f"sha256:{SDIST}",)),
        (
            f"eta @ https://i.test/eta-1.zip#sha256={WHEEL} (model.ipynb, cell 1, line 1)",
            (f"sha256:{WHEEL}",),
        ),
    ]
    assert gathered.constraints == ["gamma==3"]
    assert str(gathered.require_hashes) == "more.txt, line 2"
    assert "more.txt, line 1: --no-deps has no effect in a build" in gathered.notes[0]


def test_a_folder_with_a_hash_is_refused(found):  # noqa: F811
    with pytest.raises(RequirementsError, match="a folder has no hash"):
        found({"requirements.txt": "-e ./tool --hash=sha256:aa\n"})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a==1 --hash=", "--hash= is no hash"),
        ("a==1 --hash", "--hash= is no hash"),
        ("a==1 --hash=sha256:", "--hash=sha256: is no hash"),
        (f"a==1 --hash={WHEEL}", f"--hash={WHEEL} is no hash"),
        (f"a==1 --hash=sha256:{WHEEL} --hash=sha256:00", "a sha256 has 64 hexadecimal digits"),
        (f"a==1 --hash=sha256:{'g' * 64}", "a sha256 has 64 hexadecimal digits"),
        ("a==1 --hash=md5:00", "an md5 hash cannot be checked: the lock has sha256 hashes"),
        ("a==1 --hash=sha1:00", "a sha1 hash cannot be checked"),
        (f"--hash=sha256:{WHEEL}", "this hash is of no requirement"),
    ],
)
def test_what_is_no_hash_is_refused(found, line, said):  # noqa: F811
    with pytest.raises(RequirementsError) as refused:
        found({"requirements.txt": f"six\n{line}\n"})
    assert str(refused.value).startswith("error: requirements.txt, line 2: ")
    assert said in str(refused.value)
    with pytest.raises(RequirementsError, match=r"limits\.txt, line 1: "):
        found({"requirements.txt": "-c limits.txt", "limits.txt": line})


@pytest.mark.parametrize(
    ("requirements", "demands", "said"),
    [
        (["alpha>=1"], [], "line 1: alpha>=1 is not pinned to a version, and --require-hashes"),
        (["alpha==1.0"], [], "line 1: alpha 1.0 has no hash, and --require-hashes"),
        (["alpha==1.0"], [demand("alpha==1.0", WHEEL)], "line 9: beta 2.0 has no hash"),
    ],
)
def test_require_hashes_wants_all_pinned_and_hashed(requirements, demands, said):
    read = [Requirement(text, Place("requirements.txt", line=1)) for text in requirements]
    locked = tomllib.loads(LOCK)["packages"][:2]
    with pytest.raises(RequirementsError) as refused:
        check_all_hashed(Place("requirements.txt", line=9), read, locked, demands)
    assert said in str(refused.value)


def test_require_hashes_is_content_with_hashes():
    read = [Requirement("alpha==1.0", Place("requirements.txt", line=1))]
    demands = [demand("alpha==1.0", WHEEL)]
    check_all_hashed(Place("x"), read, tomllib.loads(LOCK)["packages"][:1], demands)


def test_printed_requirements_keep_their_hashes(tmp_path, capsys):
    write_notebook(tmp_path / "model.ipynb", '# %%\nrequirements = ["alpha==1"]\npredictor = id\n')
    (tmp_path / "requirements.txt").write_text(f"alpha == 1 --hash=sha256:{WHEEL}\nbeta\n")
    print_requirements(check(tmp_path, ["model.ipynb"], Settings.from_environ({}, {}), None))
    assert capsys.readouterr().out.splitlines() == [
        f"alpha==1 --hash=sha256:{WHEEL}  # model.ipynb, cell 1, line 1",
        "beta  # requirements.txt, line 2",
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"requirements.txt": "--no-build-isolation\nnumpy --global-option='x'\n"},
            ["requirements.txt, line 1: --no-build-isolation has", "line 2: --global-option has"],
        ),
        ({"requirements.txt": "-q\n-U\n--pre\nnumpy\n"}, []),
        ({"requirements.txt": "-e .[fast]\n"}, ["line 1: the extras of .[fast] are not installed"]),
        (
            {"pyproject.toml": '[project]\nname = "x"\ndynamic = ["dependencies"]\n'},
            ["pyproject.toml, line 3: the dependencies are known only once the project is built"],
        ),
        (
            {
                "pyproject.toml": '[project]\nname = "x"\ndependencies = ["six"]\n'
                '[tool.uv.sources]\nsix = { git = "https://example.org/six" }\n'
                '[tool.uv]\nconstraint-dependencies = ["six<2"]\n'
            },
            ["pyproject.toml, line 5: the source of six has no effect in a build"],
        ),
        (
            {"environment.yml": "dependencies:\n- python=2.7\nvariables:\n  A: b\n"},
            ["environment.yml, line 2: it asks for python=2.7", "line 3: the variables A are not"],
        ),
        ({"environment.yml": "dependencies:\n- python>=3.8\n- pip\n"}, []),
    ],
)
def test_what_a_file_asks_for_in_vain_is_told(found, files, said):  # noqa: F811
    notes = found(files).notes
    assert len(notes) == len(said), notes
    for text, note in zip(said, notes, strict=True):
        assert text in note


def test_what_cells_ask_for_in_vain_is_told(found):  # noqa: F811
    block = '# /// script\n# dependencies = ["six"]\n# [tool.uv]\n# exclude-newer = "2020"\n# ///\n'
    notes = found({}, f"# %%\n{block}# %%\n%pip install --no-deps --target=x six").notes
    assert [note[: note.index(" has no effect")] for note in notes] == [
        "model.ipynb, cell 1, line 1: exclude-newer of [tool.uv]",
        "model.ipynb, cell 2, line 1: --no-deps",
        "model.ipynb, cell 2, line 1: --target",
    ]
