"""The resolution of a lock: built packages, dates and hashes, with scripted results of uv."""

from pathlib import Path

import pytest
import tomli_w
from packaging.requirements import Requirement as Pep508

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.process import Completed, Deadline
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolve import ROUNDS, resolve
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed

A, B = "a" * 64, "b" * 64


def wheel(name, version, digest=A):
    file = f"{name}-{version}-py3-none-any.whl"
    found = {"name": file, "url": f"https://i.example/{file}", "hashes": {"sha256": digest}}
    return {"name": name, "version": version, "wheels": [found]}


def source(name, version):
    file = f"{name}-{version}.tar.gz"
    found = {"name": file, "url": f"https://i.example/{file}", "hashes": {"sha256": B}}
    return {"name": name, "version": version, "sdist": found}


class LockingUv:
    """Replaces uv; `packages` returns the locked packages for requirements and arguments.

    `with_wheel` are the pins that have wheels only for other Pythons; `fits` returns whether
    requirements can be met under constraints.
    """

    def __init__(self, packages, with_wheel=(), fits=lambda _texts, _limits: True):
        self.packages = packages
        self.with_wheel, self.fits = with_wheel, fits
        self.locked = []

    def run(self, arguments, *, stdin, **_options):
        texts = stdin.splitlines()
        if "pylock.toml" in arguments:
            self.locked.append(arguments)
            packages = self.packages(texts, arguments)
            lock = {"lock-version": "1.0", "created-by": "uv", "packages": packages}
            return Completed(0, tomli_w.dumps(lock), "")
        if "--no-deps" not in arguments:
            limits = Path(arguments[arguments.index("--constraints") + 1]).read_text().splitlines()
            return Completed(0 if self.fits(texts, limits) else 1, "", "")
        is_other = "--python-version" in arguments and stdin in self.with_wheel
        return Completed(0, stdin, "") if is_other else Completed(1, "", "")


@pytest.fixture
def ask(tmp_path):
    def ask(uv, *texts, ours=(), indexes=None, **options):
        return resolve(
            [Requirement(text, Place("r.txt", line=n)) for n, text in enumerate(texts, 1)],
            ours,
            indexes=indexes or IndexSettings(),
            **{"as_of": None, **options},
            work=tmp_path,
            deadline=Deadline(),
            run=uv.run,
        )

    return ask


def test_the_lock_has_the_packages_that_uv_locks(ask):
    uv = LockingUv(lambda _texts, _arguments: [wheel("alpha", "1"), wheel("gunicorn", "23")])
    lock = ask(uv, "alpha", ours=["gunicorn>=23"])
    assert lock.packages == (("alpha", "1"), ("gunicorn", "23"))
    assert lock.notes == ()
    assert len(uv.locked) == 1


def test_a_source_only_package_is_built_and_reported(ask):
    uv = LockingUv(lambda _texts, _arguments: [source("alpha", "1"), wheel("beta", "1")])
    lock = ask(uv, "alpha")
    assert lock.notes == ("alpha has no wheel and is built from source",)
    assert len(uv.locked) == 1


@pytest.mark.parametrize("allowed", [("alpha",), (":all:",)])
def test_a_package_with_no_binary_is_built(ask, allowed):
    uv = LockingUv(lambda _texts, _arguments: [source("alpha", "1")], with_wheel={"alpha==1"})
    lock = ask(uv, "alpha", indexes=IndexSettings(no_binary=allowed))
    assert lock.notes == ("alpha is built from source",)
    assert len(uv.locked) == 1


def test_links_and_folders_are_built(ask):
    link = {"name": "tool", "version": "1", "archive": {"url": "https://i.example/tool.tar.gz"}}
    lock = ask(LockingUv(lambda _texts, _arguments: [link]), "tool @ https://i.example/tool.tar.gz")
    assert lock.notes == ("tool is built from source",)


def test_another_version_is_locked_if_only_other_pythons_have_wheels(ask):
    def packages(_texts, arguments):
        return [wheel("alpha", "1") if "--only-binary" in arguments else source("alpha", "2")]

    uv = LockingUv(packages, with_wheel={"alpha==2"})
    lock = ask(uv, "alpha")
    assert lock.packages == (("alpha", "1"),)
    first, second = uv.locked
    assert "--only-binary" not in first
    assert second[second.index("--only-binary") + 1] == "alpha"


def test_a_pinned_version_with_wheels_only_for_other_pythons_is_rejected(ask):
    uv = LockingUv(lambda _texts, _arguments: [source("alpha", "2")], with_wheel={"alpha==2"})
    with pytest.raises(RequirementsError, match="alpha==2 has no wheel for Python 3") as caught:
        ask(uv, "beta", "alpha==2")
    assert caught.value.place == Place("r.txt", line=2)


def test_the_number_of_resolution_rounds_is_limited(ask):
    uv = LockingUv(lambda _texts, _arguments: [source("alpha", "2")], with_wheel={"alpha==2"})
    lock = ask(uv, "alpha")
    assert lock.built_from_source == ("alpha",)
    assert len(uv.locked) == ROUNDS


def test_requirements_that_cannot_be_locked_are_explained(ask):
    class Offline:
        @staticmethod
        def run(_arguments, **_options):
            return Completed(2, "", "error: no route")

    with pytest.raises(RequirementsError, match="the package index cannot be read"):
        ask(Offline, "alpha")


def dated(texts, arguments):
    """Return the packages locked as of a date; without one, newer versions of both."""
    version = "1" if "--exclude-newer" in arguments else "2"
    pins = {Pep508(text).name: Pep508(text).specifier for text in texts}
    names = ["alpha", "beta"] if version == "1" else ["alpha", "beta", "gunicorn"]
    return [wheel(name, "1" if "==1" in str(pins.get(name, "")) else version) for name in names]


def test_a_date_applies_to_the_users_requirements_but_not_to_ours(ask):
    limits = []

    def fits(texts, constraints):
        assert texts == ["alpha", "gunicorn"]
        limits.append(constraints)
        return True

    uv = LockingUv(dated, fits=fits)
    ask(uv, "alpha", ours=["gunicorn"], as_of="2026-01-31", constraints=["beta<3"])
    assert limits == [["beta<3", "alpha==1", "beta==1"]]
    first, second = uv.locked
    assert first[first.index("--exclude-newer") + 1] == "2026-01-31"
    assert "--exclude-newer" not in second


def test_if_ours_need_newer_versions_only_the_users_requirements_are_dated(ask):
    uv = LockingUv(dated, fits=lambda _texts, _limits: False)
    lock = ask(uv, "alpha[x]", ours=["gunicorn"], as_of="2026-01-31")
    assert lock.packages == (("alpha", "1"), ("beta", "2"), ("gunicorn", "2"))
    assert lock.notes == ("newer than 2026-01-31, for the service and the kernel: beta",)


def test_a_date_without_requirements_needs_no_second_lock(ask):
    uv = LockingUv(lambda _texts, _arguments: [wheel("gunicorn", "23")])
    assert ask(uv, ours=["gunicorn"], as_of="2026-01-31").notes == ()
    assert len(uv.locked) == 1


def demand(text, digest):
    return Hashed(Requirement(text, Place("r.txt", line=1)), (f"sha256:{digest}",))


def test_required_hashes_must_match_the_lock(ask):
    uv = LockingUv(lambda _texts, _arguments: [wheel("alpha", "1")])
    assert ask(uv, "alpha==1", hashes=[demand("alpha==1", A)]).packages == (("alpha", "1"),)
    with pytest.raises(
        RequirementsError, match="no file of alpha 1 for this Python has the required"
    ):
        ask(uv, "alpha==1", hashes=[demand("alpha==1", B)])


def test_require_hashes_applies_to_the_users_requirements_but_not_to_ours(ask):
    def packages(texts, _arguments):
        return [wheel(Pep508(text).name, "1") for text in texts]

    everything = Place("r.txt", line=9)
    hashes = [demand("alpha==1", A)]
    uv = LockingUv(packages)
    lock = ask(uv, "alpha==1", ours=["gunicorn"], hashes=hashes, require_hashes=everything)
    assert lock.packages == (("alpha", "1"), ("gunicorn", "1"))
    with pytest.raises(RequirementsError) as caught:
        ask(uv, "alpha==1", "beta==1", hashes=hashes, require_hashes=everything)
    assert (
        caught.value.message
        == "beta 1 has no hash, but --require-hashes (r.txt, line 9) requires it"
    )
    assert caught.value.place == Place("r.txt", line=2)
