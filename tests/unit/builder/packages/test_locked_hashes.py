"""The files of a lock that match required hashes, and the errors."""

import tomllib

import pytest
import tomli_w

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
    """Return the digests of the remaining files of alpha."""
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
def test_a_lock_keeps_only_files_with_the_required_hashes(demands, left):
    assert files(*demands) == left


@pytest.mark.parametrize("digests", [["f" * 64], [OTHER]])
def test_a_hash_that_matches_no_suitable_file_is_rejected(digests):
    with pytest.raises(RequirementsError) as caught:
        files(demand("alpha==1.0", *digests))
    assert caught.value.message == ("no file of alpha 1.0 for this Python has the required hash")
    assert caught.value.place == Place("requirements.txt", line=4)
    assert caught.value.details.splitlines() == [
        f"alpha-1.0-py3-none-any.whl  sha256:{WHEEL}",
        f"alpha-1.0-{ELSEWHERE}.whl  sha256:{OTHER}",
        f"alpha-1.0.tar.gz  sha256:{SDIST}",
    ]
    assert caught.value.remedy.startswith("find out where the file comes from")


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ({"path": "wheels/a-1-py3-none-any.whl"}, "a-1-py3-none-any.whl"),
        ({"name": "b.whl", "path": "wheels/a-1-py3-none-any.whl"}, "b.whl"),
        ({"url": "https://i.test/a%2B1-1-py3-none-any.whl?token=x"}, "a+1-1-py3-none-any.whl"),
    ],
)
def test_a_file_with_another_hash_is_named_without_its_path(file, shown):
    archive = {**file, "hashes": {"sha256": WHEEL, "MD5": "ab"}}
    lock = tomli_w.dumps(
        {
            "lock-version": "1.0",
            "created-by": "uv",
            "packages": [{"name": "alpha", "archive": archive}],
        }
    )
    with pytest.raises(RequirementsError) as caught:
        restrict(lock, [demand("alpha @ https://i.test/a.whl", OTHER)])
    assert caught.value.message.startswith("no file of alpha for this Python")
    assert caught.value.details == f"{shown}  md5:ab\n{shown}  sha256:{WHEEL}"


def test_a_file_without_a_hash_does_not_match():
    lock = LOCK.replace(f', hashes = {{ sha256 = "{WHEEL}" }}', "")
    with pytest.raises(RequirementsError, match=r"no file of beta 2\.0") as caught:
        restrict(lock, [demand("beta @ https://i.test/beta-2.0-py3-none-any.whl", WHEEL)])
    assert caught.value.details is None


def test_a_restricted_lock_determines_the_files_that_are_built():
    package = tomllib.loads(restrict(LOCK, [demand("alpha==1.0", SDIST)]))["packages"][0]
    assert "wheels" not in package
    package = tomllib.loads(restrict(LOCK, [demand("alpha==1.0", WHEEL)]))["packages"][0]
    assert "sdist" not in package
    assert restrict(LOCK, [demand("delta", WHEEL)]) == LOCK


def test_pre_releases_are_matched_too():
    lock = LOCK.replace('version = "1.0"\nsdist', 'version = "1.1rc1"\nsdist').replace(
        "alpha-1.0", "alpha-1.1rc1"
    )
    package = tomllib.loads(restrict(lock, [demand("alpha>=1", WHEEL)]))["packages"][0]
    assert [file["hashes"]["sha256"] for file in package["wheels"]] == [WHEEL]
    assert "sdist" not in package


def test_two_lines_without_a_common_hash_are_rejected():
    with pytest.raises(RequirementsError, match="no file of alpha"):
        files(demand("alpha==1.0", WHEEL), demand("alpha==1.0", SDIST, line=9))


def test_the_hash_in_a_link_is_enforced():
    link = Requirement(f"beta @ https://i.test/beta-2.0-py3-none-any.whl#sha256={OTHER}", "")
    with pytest.raises(RequirementsError, match=r"no file of beta 2\.0"):
        restrict(LOCK, list(hashes_of_links([link])))
    restrict(LOCK, [demand("beta @ https://i.test/beta-2.0-py3-none-any.whl", WHEEL)])


def test_a_hash_for_a_repository_is_rejected():
    link = "gamma @ git+https://{}i.test/gamma.git"
    with pytest.raises(RequirementsError) as caught:
        restrict(LOCK, [demand(link.format("me:secret@"), WHEEL)])
    assert caught.value.message == (
        f"{link.format('***@')} is a folder or a repository, which has no hash to check"
    )
    assert caught.value.place == Place("requirements.txt", line=4)
    assert caught.value.remedy == (
        "remove the hash and pin a commit instead: NAME @ git+https://...@COMMIT"
    )


HASHED = "--require-hashes (requirements.txt, line 9) requires it"
PIN = "write {}==VERSION, with its --hash"
LIST = "list all dependencies with hashes, as `uv pip compile --generate-hashes` does"


@pytest.mark.parametrize(
    ("requirement", "demands", "message", "line", "remedy"),
    [
        ("Alpha>=1", [], "Alpha>=1 is not pinned to a version", 1, PIN.format("Alpha")),
        ("alpha==1.0", [], "alpha 1.0 has no hash", 1, LIST),
        ("alpha==1.0", [demand("alpha==1.0", WHEEL)], "beta 2.0 has no hash", 9, LIST),
        ("alpha @ https://i.test/a.whl", [], "alpha 1.0 has no hash", 1, LIST),
    ],
)
def test_require_hashes_demands_pins_and_hashes(requirement, demands, message, line, remedy):
    read = [Requirement(requirement, Place("requirements.txt", line=1))]
    locked = tomllib.loads(LOCK)["packages"][:2]
    with pytest.raises(RequirementsError) as caught:
        check_all_hashed(Place("requirements.txt", line=9), read, locked, demands)
    assert caught.value.message == f"{message}, but {HASHED}"
    assert caught.value.place == Place("requirements.txt", line=line)
    assert caught.value.remedy == remedy


def test_a_package_without_a_version_is_named_without_one():
    with pytest.raises(RequirementsError, match=r"^error: x: gamma has no hash, but"):
        check_all_hashed(Place("x"), [], tomllib.loads(LOCK)["packages"][2:], [])


def test_require_hashes_accepts_pins_with_hashes():
    read = [Requirement("alpha==1.0", Place("requirements.txt", line=1))]
    demands = [demand("alpha==1.0", WHEEL)]
    check_all_hashed(Place("x"), read, tomllib.loads(LOCK)["packages"][:1], demands)
