"""The arguments for uv and the interpretation of its output."""

import sys
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from nachlass_builder.foundation.errors import RequirementsError, TimeLimitError
from nachlass_builder.foundation.process import Completed, Deadline
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolver import (
    ANY_PLATFORM,
    BUILD_LIMIT_S,
    PYTHONS,
    WHEELS,
    Resolver,
    each,
    spans,
    within_build_limit,
)

INDEX = "https://joe:sesame@index.example/simple"
FOUND = Completed(0, "alpha==2.0\n", "")
NONE = Completed(1, "", "No solution found\n")
BROKEN = Completed(2, "", "error: Failed to fetch: `https://index.example/simple/alpha/`\n")
DENIED = Completed(2, "", "error: https://index.example/simple/ 401 Unauthorized\n")


@dataclass
class Uv:
    """Replaces uv: records its arguments and returns `answer`."""

    answer: object
    calls: list = field(default_factory=list)

    def run(self, arguments, **options):
        listed = {
            path: Path(path).read_text()
            for option, path in pairwise(arguments)
            if option == "--constraints" and Path(path).is_file()
        }
        self.calls.append((arguments, options, listed))
        return self.answer(arguments) if callable(self.answer) else self.answer

    @property
    def arguments(self):
        """The arguments of the only call, without those common to all calls."""
        [(arguments, _options, _listed)] = self.calls
        assert arguments[:2] == ["pip", "compile"]
        assert arguments[-1] == "-"
        return arguments[arguments.index(sys.executable) + 1 : -1]


@pytest.fixture
def resolver(tmp_path):
    """Return a function for a resolver whose uv returns this result or calls this function."""

    def make(answer, indexes=IndexSettings(), **options):  # noqa: B008 - it is frozen
        uv = Uv(answer)
        return Resolver(indexes, tmp_path, Deadline(), run=uv.run, **options), uv

    return make


def test_a_lock_is_requested_in_the_pep_751_format_with_hashes(resolver, tmp_path):
    resolve, uv = resolver(FOUND)
    assert resolve.lock(["alpha>1", "beta[x]==2"]) == FOUND
    assert uv.arguments == ["--format", "pylock.toml", "--generate-hashes"]
    [(_arguments, options, _listed)] = uv.calls
    assert options["stdin"] == "alpha>1\nbeta[x]==2"
    assert options["cwd"] == tmp_path
    assert options["doing"] == "resolving the requirements"
    assert options["deadline"].limit_s == BUILD_LIMIT_S


def test_paths_in_requirements_are_relative_to_the_source(resolver, tmp_path):
    resolve, uv = resolver(FOUND, IndexSettings(root=tmp_path / "source"))
    resolve.can_resolve(["alpha @ wheels/alpha-1-py3-none-any.whl"])
    assert uv.calls[0][1]["cwd"] == resolve.folder == tmp_path / "source"


@pytest.mark.parametrize(("answer", "fits"), [(FOUND, True), (NONE, False), (BROKEN, False)])
def test_requirements_fit_if_uv_resolves_them(resolver, answer, fits):
    resolve, uv = resolver(answer)
    assert resolve.can_resolve(["alpha", "beta"]) is fits
    assert uv.arguments == []


def test_all_settings_are_passed_to_uv(resolver, tmp_path):
    limits = tmp_path / "limits.txt"
    limits.write_text("gamma<3")
    indexes = IndexSettings(
        no_index=True, only_binary=("zeta",), no_binary=("eta",), constraints=(str(limits),)
    )
    resolve, uv = resolver(
        FOUND,
        indexes,
        constraints=("delta==1", "beta<2"),
        only_binary=frozenset({"alpha"}),
        as_of="2026-01-31",
    )
    resolve.can_resolve(["alpha"])
    [(arguments, _options, listed)] = uv.calls
    ours = arguments[arguments.index(str(limits)) + 2]
    assert uv.arguments == [
        *("--no-index", "--exclude-newer", "2026-01-31"),
        *("--only-binary", "alpha", "--only-binary", "zeta", "--no-binary", "eta"),
        *("--constraints", str(limits), "--constraints", ours),
    ]
    assert listed == {str(limits): "gamma<3", ours: "delta==1\nbeta<2"}
    assert list(tmp_path.iterdir()) == [limits]


def test_a_link_is_fetched_without_its_dependencies(resolver):
    resolve, uv = resolver(FOUND, only_binary=frozenset({"alpha"}), constraints=("beta<2",))
    assert resolve.fetch("alpha @ https://a.example/alpha.zip") == FOUND
    assert uv.arguments == ["--no-deps"]


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("alpha==2.0\n", "2.0"),
        ("alpha==2.0; sys_platform == 'linux'\n", "2.0"),
        ("alpha==2.0 ; sys_platform == 'linux'\n", "2.0"),
        ("alpha==2!1.0rc1+local.3\n", "2!1.0rc1+local.3"),
        ("alpha @ https://a.example/alpha.zip\n", None),
        ("", None),
    ],
)
def test_the_version_of_one_distribution_is_read(resolver, output, version):
    resolve, uv = resolver(
        Completed(0, output, ""), only_binary=frozenset({"a"}), constraints=("b<2",)
    )
    assert resolve.version_of("alpha>1", "--prerelease", "allow") == version
    assert uv.arguments == ["--only-binary", "a", "--no-deps", "--prerelease", "allow"]
    assert uv.calls[0][1]["stdin"] == "alpha>1"


def test_a_distribution_without_a_matching_version_has_none(resolver):
    assert resolver(NONE)[0].version_of("alpha>9") is None


def test_an_unreachable_index_is_an_error(resolver):
    resolve, _uv = resolver(BROKEN, IndexSettings(index_url=INDEX))
    with pytest.raises(RequirementsError) as caught:
        resolve.version_of("alpha")
    assert caught.value.message == (
        "the package index cannot be read (https://index.example/simple)"
    )
    assert caught.value.details == BROKEN.stderr.strip()
    assert caught.value.place is None
    assert caught.value.remedy == (
        "check the network, the proxy (HTTPS_PROXY), the certificates (SSL_CERT_FILE) "
        "and PIP_INDEX_URL; to build without a network, keep all wheels in wheels/ "
        "and set PIP_NO_INDEX=1"
    )


def test_a_missing_index_configuration_is_reported(resolver):
    resolve, _uv = resolver(BROKEN, IndexSettings(no_index=True))
    message = resolve.unreachable(BROKEN).message
    assert message == "the package index cannot be read (none is configured)"


def test_an_index_that_denies_access_needs_credentials(resolver):
    known, _uv = resolver(DENIED, IndexSettings(index_url=INDEX))
    check = "check the index's username and password (in its URL or ~/.netrc)"
    assert known.unreachable(DENIED).remedy == known.access_remedy(DENIED.stderr) == check
    unknown, _uv = resolver(DENIED, IndexSettings(environ={"HOME": "/nowhere"}))
    give = "put a username and password into PIP_INDEX_URL or ~/.netrc"
    assert unknown.unreachable(DENIED).remedy == unknown.access_remedy(DENIED.stderr) == give


@pytest.mark.parametrize(
    ("output", "refuses"),
    [
        ("error: 401 Unauthorized", True),
        ("error: (403 Forbidden)", True),
        ("error: 404 Not Found", False),
        ("error: 1403 Forbidden", False),
        ("", False),
    ],
)
def test_only_http_401_and_403_count_as_denied(resolver, output, refuses):
    resolve, uv = resolver(Completed(1, "", output))
    assert resolve.refusal_of("alpha") == (output if refuses else None)
    assert uv.arguments == ["--no-deps", "--index-strategy", "first-index"]


def test_only_wheels_are_requested(resolver):
    resolve, uv = resolver(FOUND)
    assert resolve.wheel_of("alpha", "--resolution", "lowest-direct") == "2.0"
    assert uv.arguments == ["--no-deps", *WHEELS, "--resolution", "lowest-direct"]


def for_pythons(*pythons):
    """Return the results of an index whose only version supports these Pythons."""

    def answer(arguments):
        python = arguments[arguments.index("--python-version") + 1]
        return FOUND if python in pythons else NONE

    return answer


def test_the_pythons_supported_by_a_version_are_found_in_order(resolver):
    resolve, uv = resolver(for_pythons("3.8", "3.6", PYTHONS[-1], "2.7"))
    assert resolve.pythons_with("alpha==2", *WHEELS) == ["3.6", "3.8", PYTHONS[-1]]
    assert len(uv.calls) == len(PYTHONS)
    assert all(set(WHEELS) <= set(arguments) for arguments, _options, _listed in uv.calls)


@pytest.mark.parametrize(
    ("found", "needlessly"),
    [
        ({}, False),
        ({"for a Python"}, True),
        ({"anywhere"}, False),
        ({"another version"}, False),
        ({"anywhere", "another version"}, True),
    ],
)
def test_a_build_is_needless_if_the_project_publishes_suitable_wheels(resolver, found, needlessly):
    questions = []

    def run(arguments, *, stdin, **_options):
        assert set(WHEELS) <= set(arguments)
        question = "for a Python"
        if set(ANY_PLATFORM) <= set(arguments):
            question = "anywhere"
        elif "--python-version" not in arguments:
            question = "another version"
        assert stdin == ("alpha" if question == "another version" else "alpha==1.0")
        questions.append(question)
        return FOUND if question in found else NONE

    resolve, _uv = resolver(NONE)
    asking = Resolver(resolve.indexes, resolve.work, resolve.deadline, run=run)
    assert asking.needlessly_built("alpha", "1.0") is needlessly


@pytest.mark.parametrize(
    ("pythons", "text"),
    [
        ([], ""),
        (["3.6"], "3.6"),
        (["3.6", "3.7"], "3.6 and 3.7"),
        (["3.6", "3.8"], "3.6 and 3.8"),
        (["3.6", "3.7", "3.8"], "3.6 to 3.8"),
        (["3.6", "3.7", "3.8", "3.10"], "3.6 to 3.8 and 3.10"),
        (["3.5", "3.7", "3.8", "3.10"], "3.5, 3.7, 3.8 and 3.10"),
        (["3.8", "3.9", "3.10", "3.11"], "3.8 to 3.11"),
        (["3.5", "3.7", "3.8", "3.9", "3.11"], "3.5, 3.7 to 3.9 and 3.11"),
    ],
)
def test_python_versions_are_listed_as_ranges(pythons, text):
    assert spans(pythons) == text


def test_parallel_calls_return_their_results_in_order():
    assert each(lambda number: number * 2, range(20)) == list(range(0, 40, 2))
    assert each(str, []) == []


def test_the_build_limit_applies_if_no_shorter_one_is_set():
    limits = []

    def action(deadline):
        limits.append(deadline.limit_s)
        return FOUND

    assert within_build_limit(Deadline(), action) == FOUND
    within_build_limit(Deadline.after(BUILD_LIMIT_S + 60), action)
    within_build_limit(Deadline.after(60), action)
    assert limits == [BUILD_LIMIT_S, BUILD_LIMIT_S, 60]


def test_the_error_depends_on_the_limit_that_was_exceeded():
    def action(deadline):
        raise deadline.exceeded("resolving")

    with pytest.raises(RequirementsError) as caught:
        within_build_limit(Deadline(), action)
    assert caught.value.message == "building a package from source took too long (limit 600 s)"
    assert caught.value.remedy == "use a version that has a wheel for this Python"
    with pytest.raises(TimeLimitError, match=r"S2I_BUILD_TIMEOUT \(60 s\)"):
        within_build_limit(Deadline.after(60), action)
