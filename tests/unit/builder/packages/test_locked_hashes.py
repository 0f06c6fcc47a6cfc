"""Which files of a lock are left where hashes are demanded, and what is refused."""

import tomllib

import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.packages.locked_hashes import check_all_hashed, restrict
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed, hashes_of_links
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


def test_a_repository_has_no_hash():
    with pytest.raises(RequirementsError, match="a folder or a repository"):
        restrict(LOCK, [demand("gamma @ git+https://i.test/gamma.git", WHEEL)])


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
