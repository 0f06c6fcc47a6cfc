import pytest
from test_requirements import found  # noqa: F401 - a fixture

from nachlass_builder.cli.summary import print_requirements
from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.requirements.check import check
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed, hashes_of_links, split_hashes
from support.cells import write_notebook

WHEEL, SDIST, OTHER = "a" * 64, "b" * 64, "c" * 64


def test_a_link_with_an_invalid_hash_is_rejected():
    link = Requirement("beta @ https://i.test/beta-2.0.zip#sha256=", Place("x"))
    with pytest.raises(RequirementsError, match="x: --hash=sha256: is not a hash") as caught:
        list(hashes_of_links([link]))
    assert caught.value.remedy == "write --hash=sha256:..., as `pip hash FILE` prints it"


def test_unsupported_hash_algorithms_are_rejected():
    with pytest.raises(RequirementsError, match="sha384 and sha512 hashes cannot be checked"):
        Hashed(Requirement("alpha", Place("x")), ("sha512:aa", "sha384:bb"))


def test_hashes_are_read_in_every_spelling():
    assert split_hashes("a==1 --hash=sha256:AA --hash sha256:bb --hash='sha256:cc'") == (
        "a==1",
        ("sha256:aa", "sha256:bb", "sha256:cc"),
    )


def test_hashes_of_files_and_their_includes_are_found(found):  # noqa: F811
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


def test_a_folder_with_a_hash_is_rejected(found):  # noqa: F811
    with pytest.raises(RequirementsError, match="a folder has no hash"):
        found({"requirements.txt": "-e ./tool --hash=sha256:aa\n"})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a==1 --hash=", "--hash= is not a hash"),
        ("a==1 --hash", "--hash= is not a hash"),
        ("a==1 --hash=sha256:", "--hash=sha256: is not a hash"),
        (f"a==1 --hash={WHEEL}", f"--hash={WHEEL} is not a hash"),
        (f"a==1 --hash=sha256:{WHEEL} --hash=sha256:00", "sha256 has 64 hexadecimal digits"),
        (f"a==1 --hash=sha256:{'g' * 64}", "sha256 has 64 hexadecimal digits"),
        ("a==1 --hash=md5:00", "an md5 hash cannot be checked: the lock has sha256 hashes"),
        ("a==1 --hash=sha1:00", "a sha1 hash cannot be checked"),
        (f"--hash=sha256:{WHEEL}", "this hash belongs to no requirement"),
    ],
)
def test_an_invalid_hash_is_rejected(found, line, message):  # noqa: F811
    with pytest.raises(RequirementsError) as caught:
        found({"requirements.txt": f"six\n{line}\n"})
    assert str(caught.value).startswith("error: requirements.txt, line 2: ")
    assert message in str(caught.value)
    assert caught.value.remedy
    with pytest.raises(RequirementsError, match=r"limits\.txt, line 1: "):
        found({"requirements.txt": "-c limits.txt", "limits.txt": line})


def test_printed_requirements_keep_their_hashes(tmp_path, capsys):
    write_notebook(tmp_path / "model.ipynb", '# %%\nrequirements = ["alpha==1"]\npredictor = id\n')
    (tmp_path / "requirements.txt").write_text(f"alpha == 1 --hash=sha256:{WHEEL}\nbeta\n")
    print_requirements(check(tmp_path, ["model.ipynb"], Settings.from_environ({}, {}), None))
    assert capsys.readouterr().out.splitlines() == [
        f"alpha==1 --hash=sha256:{WHEEL}  # model.ipynb, cell 1, line 1",
        "beta  # requirements.txt, line 2",
    ]
