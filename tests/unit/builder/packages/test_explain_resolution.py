"""Explanations of failed resolutions, with an in-memory index instead of uv."""

import pytest

from nachlass_builder.foundation.errors import Place
from nachlass_builder.foundation.process import Completed
from nachlass_builder.packages.explain_resolution import HERE, SYSTEM, explain, no_wheel
from nachlass_builder.packages.lock import OURS_FOR_KERNEL
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolver import PYTHONS
from nachlass_builder.packages.wanted import Wanted
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirements import OLDEST_PYTHON
from support.known_index import THIS_PYTHON, KnownIndex, Release

UNSOLVED = Completed(1, "", "Using Python 3\nNo solution found")
ANY = Release()
OLD = Release(wheels=("3.8", "3.9"))


def wanted(*texts, ours=()):
    """Return the user's requirements, each with its line, and ours."""
    theirs = [
        Wanted(text, Requirement(text, Place("requirements.txt", line=line)))
        for line, text in enumerate(texts, start=1)
    ]
    return [*theirs, *map(Wanted, ours)]


def refusal(*texts, ours=(), completed=UNSOLVED, **known):
    return explain(completed, wanted(*texts, ours=ours), KnownIndex(**known))


def line(number):
    return Place("requirements.txt", line=number)


def test_a_broken_link_is_reported_first():
    link = "tool @ git+https://joe:sesame@git.example/tool.git"
    error = refusal(
        "absent", link, broken={link: Completed(2, "", "Resolved 1\nerror: repository not found")}
    )
    assert error.message == (
        "tool @ git+https://***@git.example/tool.git cannot be fetched or built"
    )
    assert (error.place, error.details) == (line(2), "error: repository not found")
    assert error.remedy == (
        "for a private repository, give git credentials: an ssh agent, ~/.netrc, "
        "or a credential helper"
    )


def test_git_credentials_are_not_suggested_for_an_archive():
    link = "tool @ https://a.example/tool.zip"
    error = refusal(link, broken={link: Completed(1, "", "404")})
    assert (error.details, error.remedy) == ("404", None)


def test_other_failures_are_attributed_to_the_index():
    error = refusal("absent", completed=Completed(2, "", "error: no route"))
    assert error.message == "the package index cannot be read (https://pypi.org/simple)"
    assert (error.place, error.details) == (None, "error: no route")


def test_an_unknown_distribution_is_reported():
    error = refusal("alpha", "nmpy>=1", releases={"alpha": {"1": ANY}})
    assert error.message == "there is no distribution nmpy on https://pypi.org/simple"
    assert (error.place, error.details) == (line(2), None)
    assert error.remedy == ("check the name and the index (PIP_INDEX_URL, wheels/)")


def test_a_missing_index_configuration_is_reported():
    error = refusal("nmpy", indexes=IndexSettings(no_index=True))
    assert error.message == "there is no distribution nmpy on any index: none is configured"


@pytest.mark.parametrize(
    ("text", "whose"),
    [("gunicorn>=23", "the service"), (OURS_FOR_KERNEL[0], "the notebook's kernel")],
)
def test_an_unknown_distribution_of_ours_is_reported_with_its_purpose(text, whose):
    error = refusal("alpha", ours=(text,), releases={"alpha": {"1": ANY}})
    name = text.partition(">")[0]
    assert error.message == (
        f"there is no distribution {name}, which {whose} needs, on https://pypi.org/simple"
    )
    assert error.place is None


def test_a_requirement_whose_marker_does_not_apply_is_not_looked_up():
    error = refusal("nmpy; python_version < '3'", "pandsa", releases={})
    assert error.message.startswith("there is no distribution pandsa on ")
    assert (error.place, error.details) == (line(2), None)


def test_further_missing_distributions_are_listed_one_per_line():
    error = refusal("nmpy", "alpha==2", ours=("gunicorn",), releases={"alpha": {"1": ANY}})
    assert error.message == "there is no distribution nmpy on https://pypi.org/simple"
    assert error.place == line(1)
    assert error.details == (
        "requirements.txt, line 2: no version of alpha matches alpha==2\n"
        "there is no distribution gunicorn, which the service needs, on https://pypi.org/simple"
    )


@pytest.mark.parametrize(
    ("text", "versions", "remedy"),
    [
        (
            "alpha==2",
            {"1": ANY, "3": ANY},
            f"the nearest versions with a wheel for {HERE} are alpha==1 and alpha==3",
        ),
        (
            "alpha==2",
            {"1.0": ANY, "1.5": ANY},
            f"the nearest version with a wheel for {HERE} is alpha==1.5 (no later version has one)",
        ),
        (
            "alpha==2",
            {"3": ANY, "4": ANY},
            f"the nearest version with a wheel for {HERE} is alpha==3 (no earlier version has one)",
        ),
        ("alpha==2", {"1": OLD}, f"no version of alpha has a wheel for {HERE}"),
        (
            "alpha>=5",
            {"1": OLD, "2": ANY, "3": ANY, "4": OLD},
            f"alpha has wheels for {HERE} in versions 2 to 3",
        ),
        ("alpha>=5", {"1": ANY}, f"alpha has wheels for {HERE} in versions 1 to 1"),
    ],
)
def test_the_nearest_versions_are_named(text, versions, remedy):
    error = refusal(text, releases={"alpha": versions})
    assert error.message == f"no version of alpha matches {text}"
    assert (error.place, error.remedy) == (line(1), remedy)


def test_wheels_for_other_pythons_are_reported():
    error = refusal("alpha==1", releases={"alpha": {"1": OLD, "2": ANY}})
    assert error.message == f"alpha==1 has no wheel for {HERE}, only for Python 3.8 and 3.9"
    assert error.remedy == (
        f"the nearest version with a wheel for {HERE} is alpha==2 (no earlier version has one)"
    )


def test_another_python_and_a_build_from_source_are_suggested():
    newer = Release(wheels=("3.9",), source=(THIS_PYTHON,))
    one = wanted("alpha==1")[0]
    error = no_wheel(one, KnownIndex(releases={"alpha": {"1": newer}}))
    assert error.message == f"alpha==1 has no wheel for {HERE}, only for Python 3.9"
    assert error.remedy == (
        f"no version of alpha has a wheel for {HERE}; "
        "or set PIP_NO_BINARY=alpha to build it from source anyway"
    )
    later = Release(wheels=("3.9", OLDEST_PYTHON))
    error = no_wheel(one, KnownIndex(releases={"alpha": {"1": later}}))
    assert error.remedy.endswith(f"; or build with Python {OLDEST_PYTHON}")
    newest = PYTHONS[-1]
    later = Release(wheels=("3.9", *PYTHONS[-2:]))
    error = no_wheel(one, KnownIndex(releases={"alpha": {"1": later}}))
    assert error.remedy.endswith(f"; or build with Python {newest}")


def test_no_other_python_is_suggested_without_any_wheel():
    source = Release(wheels=(), source=(THIS_PYTHON,))
    error = no_wheel(wanted("alpha==1")[0], KnownIndex(releases={"alpha": {"1": source}}))
    assert error.message == f"alpha==1 has no wheel for {HERE}"


def test_wheels_only_for_other_systems_are_reported():
    windows = Release(wheels=(), elsewhere=True)
    error = refusal("alpha==1", releases={"alpha": {"1": windows}})
    assert error.message == f"alpha==1 does not support {SYSTEM}, only other systems"
    assert error.place == line(1)
    assert error.remedy == (
        "remove it, or restrict it to its system, as in `alpha==1; sys_platform == 'win32'`"
    )


def test_a_source_distribution_for_other_pythons_is_reported():
    source = Release(wheels=(), source=("3.6", "3.7", "3.8"))
    error = refusal("alpha==1", releases={"alpha": {"1": source}})
    assert error.message == f"alpha==1 does not support {HERE}, only Python 3.6 to 3.8"
    assert error.place == line(1)
    assert error.remedy == f"no version of alpha has a wheel for {HERE}"


def test_a_version_published_after_the_date_is_reported():
    late = Release(published="2026-06-30")
    error = refusal("alpha==2", as_of="2026-01-31", releases={"alpha": {"1": ANY, "2": late}})
    assert error.message == (
        "alpha==2 did not exist on 2026-01-31, or its index gives no upload dates"
    )
    assert error.place == line(1)
    assert error.remedy == "use a later S2I_RESOLVE_AS_OF, or an earlier version"
    error = refusal("alpha==3", as_of="2026-01-31", releases={"alpha": {"1": ANY, "2": late}})
    assert error.message == "no version of alpha matches alpha==3"
    error = refusal("alpha", as_of="2026-01-31", releases={"alpha": {"2": late}})
    assert error.message.startswith("alpha did not exist on 2026-01-31")


def test_denied_access_to_an_index_is_reported_first():
    error = refusal(
        "nmpy",
        "alpha==2",
        "secret",
        "hidden",
        releases={"alpha": {"1": ANY}},
        denied={"secret": "401 Unauthorized", "hidden": "403 Forbidden", "alpha": "never asked"},
    )
    assert error.message == (
        "the package index denies access to secret and 1 more (https://pypi.org/simple)"
    )
    assert error.place == line(3)
    assert error.details == (
        "401 Unauthorized\n"
        "requirements.txt, line 1: there is no distribution nmpy on https://pypi.org/simple\n"
        "requirements.txt, line 2: no version of alpha matches alpha==2"
    )
    assert error.remedy == "put a username and password into PIP_INDEX_URL or ~/.netrc"


def test_a_single_denied_distribution_is_named():
    error = refusal("secret", denied={"secret": "401 Unauthorized"})
    assert error.message == ("the package index denies access to secret (https://pypi.org/simple)")


def test_given_credentials_are_suggested_to_be_checked():
    error = refusal(
        "secret",
        indexes=IndexSettings(index_url="https://joe:sesame@i.example/simple/"),
        denied={"secret": "401 Unauthorized for url (https://i.example/simple/secret)"},
    )
    assert error.remedy == "check the index's username and password (in its URL or ~/.netrc)"
    assert "sesame" not in str(error)


THREE = {"alpha": {"1": ANY, "2": ANY}, "beta": {"1": ANY}, "gamma": {"1": ANY}}


def test_a_conflict_is_reduced_to_its_smallest_set():
    error = refusal(
        *("gamma", "alpha==1", "beta"),
        ours=("gunicorn",),
        releases={**THREE, "gunicorn": {"23": ANY}},
        apart=(frozenset({"alpha", "beta"}),),
    )
    assert error.message == ("alpha==1 and beta (requirements.txt, line 3) are incompatible")
    assert error.place == line(2)
    assert error.details == "uv cannot lock alpha==1, beta"
    assert error.remedy == "allow other versions of alpha or beta"


def test_pins_of_several_distributions_are_not_a_contradiction():
    error = refusal(*("alpha==2", "beta==1"), releases=THREE, apart=(frozenset({"alpha", "beta"}),))
    assert error.details == "uv cannot lock alpha==2, beta==1"


def test_a_conflict_with_our_requirements_is_reported_as_one():
    error = refusal(
        *("beta", "alpha==1"),
        ours=("gunicorn>=23",),
        releases={**THREE, "gunicorn": {"23": ANY}},
        apart=(frozenset({"alpha", "gunicorn"}),),
    )
    assert error.message == ("alpha==1 and gunicorn>=23 (needed by the service) are incompatible")
    assert error.place == line(2)
    assert error.remedy == (
        "allow other versions of alpha: the requirements of the service and the kernel "
        "cannot change"
    )


def test_our_requirements_must_be_available():
    error = refusal(
        "beta",
        ours=("gunicorn",),
        releases={**THREE, "gunicorn": {"23": ANY}},
        apart=(frozenset({"gunicorn"}),),
    )
    assert error.message == (
        f"gunicorn (needed by the service) and its dependencies cannot be resolved for {HERE}"
    )
    assert error.place is None
    assert error.remedy == (
        "make it available on the index, or in wheels/ with all its dependencies"
    )


def test_a_requirement_with_unresolvable_dependencies_is_reported():
    error = refusal("beta", "alpha==1", releases=THREE, apart=(frozenset({"alpha"}),))
    assert error.message == f"alpha==1 and its dependencies cannot be resolved for {HERE}"
    assert error.details == "uv cannot lock alpha==1"
    assert error.remedy == (
        f"the nearest version with a wheel for {HERE} is alpha==2 (no earlier version has one)"
    )
    error = refusal("alpha", releases=THREE, apart=(frozenset({"alpha"}),))
    assert error.remedy == "allow other versions of alpha"


def test_contradictory_versions_of_one_distribution_need_no_details():
    class Contrary(KnownIndex):
        def can_resolve(self, requirements):
            return not {"alpha==1", "alpha>=2"} <= {*requirements}

    texts = ("alpha==1", "beta", "alpha>=2")
    error = explain(UNSOLVED, wanted(*texts), Contrary(releases=THREE))
    assert error.message == ("alpha==1 and alpha>=2 (requirements.txt, line 3) are incompatible")
    assert (error.place, error.details) == (line(1), None)
    assert error.remedy == "allow other versions of alpha"


@pytest.mark.parametrize(
    "constrained",
    [{"constraints": ("alpha<1",)}, {"indexes": IndexSettings(constraints=("/limits.txt",))}],
)
def test_constraints_that_prevent_a_resolution_are_reported(constrained):
    error = refusal("alpha==1", "beta", releases=THREE, limited=frozenset({"alpha"}), **constrained)
    assert error.message == (
        f"alpha==1 and its dependencies cannot be resolved for {HERE} "
        "under the configured constraints"
    )
    assert error.remedy == (
        "loosen the constraints (-c files, uv.lock, PIP_CONSTRAINT) or the requirements"
    )


def test_constraints_are_not_blamed_if_the_resolution_also_fails_without_them():
    error = refusal(
        *("alpha==1", "beta"),
        releases=THREE,
        constraints=("gamma<1",),
        apart=(frozenset({"alpha", "beta"}),),
    )
    assert error.message == ("alpha==1 and beta (requirements.txt, line 2) are incompatible")


def test_a_link_in_a_conflict_is_shown_without_credentials():
    link = "beta @ https://joe:sesame@a.example/beta.zip"
    error = refusal(link, "alpha==1", releases=THREE, apart=(frozenset({"alpha", "beta"}),))
    assert error.message == (
        "beta @ https://***@a.example/beta.zip and alpha==1 (requirements.txt, line 2) "
        "are incompatible"
    )
    assert error.details is not None
