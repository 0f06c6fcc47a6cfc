import tomllib

import pytest
import tomli_w
from packaging.pylock import Pylock

from nachlass_builder.assemble.reuse_locks import Locks, check_complete, reuse_locks
from nachlass_builder.bundle.layout import SERVING_LOCK, TRAINING_LOCK
from nachlass_builder.bundle.manifest import decode, write_manifest
from nachlass_builder.bundle.staging import Staging
from nachlass_builder.foundation.errors import Place, RequirementsError, SourceError
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.packages.installed import Need, installed, needed
from nachlass_builder.requirements.check import check
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed
from support.cells import write_notebook
from support.manifest import example

SERVED = {
    "cloudpickle": "3.1",
    "flask": "3.1",
    "gunicorn": "27.0",
    "httptools": "0.7",
    "prometheus-client": "0.22",
    "uvloop": "0.22",
}
TRAINED = {**SERVED, "ipykernel": "6.30"}
DIGEST = "0" * 64


def lock_of(versions, tag="py3-none-any", **options):
    packages = [
        {
            "name": name,
            "version": version,
            "wheels": [
                {
                    "url": f"https://example.org/{name.replace('-', '_')}-{version}-{tag}.whl",
                    "hashes": {"sha256": DIGEST},
                }
            ],
        }
        for name, version in versions.items()
    ]
    return tomli_w.dumps(
        {"lock-version": "1.0", "created-by": "hand", **options, "packages": packages}
    )


def write_locks(folder, serving, training=None, **options):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRAINING_LOCK).write_text(lock_of(training or {**TRAINED, **serving}, **options))
    (folder / SERVING_LOCK).write_text(lock_of({**SERVED, **serving}, **options))


@pytest.fixture
def bundle(tmp_path):
    """Create the parts of a bundle that the next build uses."""
    write_locks(tmp_path / "bundle", {"alpha": "1.5"})
    write_manifest(tmp_path / "bundle", decode(example(locks={"resolution": "as before"})))
    return tmp_path / "bundle"


@pytest.fixture
def source(tmp_path):
    """Create the staged copy of a source."""
    root = tmp_path / "work" / "src"
    write_notebook(root / "sub/model.ipynb", "# %%\ndef predictor(x):\n    return x\n")
    (root / "requirements.txt").write_text("alpha>=1\n")
    return root


@pytest.fixture
def reuse(tmp_path, source):
    """Return a function that reuses the locks like a build."""

    def reuse(constraints=(), hashes=(), bundle=tmp_path / "bundle"):
        checked = check(source, ["sub/model.ipynb"], Settings.from_environ({}, {}), None)
        assert not checked.errors
        return reuse_locks(bundle, Staging(tmp_path), checked, constraints, hashes)

    return reuse


def refusal(reuse, *words, **named):
    with pytest.raises(RequirementsError) as raised:
        reuse(*words, **named)
    return raised.value


def test_the_locks_of_the_bundle_are_used_unchanged(reuse, bundle):
    locks = reuse()
    assert dict(locks.serving.packages) == {**SERVED, "alpha": "1.5"}
    assert dict(locks.training.packages) == {**TRAINED, "alpha": "1.5"}
    assert locks.resolution == "as before"


@pytest.mark.parametrize("folder", [".", "sub"])
def test_the_locks_of_the_source_take_precedence(reuse, source, bundle, folder):
    write_locks(source / folder, {"alpha": "1.6"})
    locks = reuse()
    assert dict(locks.serving.packages)["alpha"] == "1.6"
    assert locks.resolution != "as before"


def test_the_locks_beside_the_notebook_take_precedence_over_those_of_the_root(reuse, source):
    write_locks(source, {"alpha": "1.6"})
    write_locks(source / "sub", {"alpha": "1.7"})
    assert dict(reuse().training.packages)["alpha"] == "1.7"


def test_missing_locks_are_an_error(reuse):
    error = refusal(reuse)
    assert error.message.startswith("there are no locks: no bundle at ")
    assert error.remedy == "build once without --locked"


def test_a_single_lock_is_not_enough(reuse, source):
    write_locks(source / "sub", {"alpha": "1.6"})
    (source / "sub" / SERVING_LOCK).unlink()
    error = refusal(reuse)
    assert str(error.place) == "sub/pylock.serving.toml"
    assert error.message == "the lock is missing"
    assert error.remedy.endswith("and replace the locks in the source with those of the bundle")


@pytest.mark.parametrize("text", ["=", "", 'lock-version = "1.0"', 'lock-version = "2.0"'])
def test_an_invalid_lock_is_rejected(reuse, bundle, text):
    (bundle / TRAINING_LOCK).write_text(text)
    error = refusal(reuse)
    assert error.message.startswith("the lock cannot be read: ")
    assert str(error.place) == str(bundle / TRAINING_LOCK)


def test_locks_whose_hashes_differ_from_the_requirements_are_rejected(reuse, bundle):
    alpha = Requirement("alpha==1.5", Place("requirements.txt", line=3))
    reuse(hashes=[Hashed(alpha, (f"sha256:{DIGEST}",))])
    error = refusal(reuse, hashes=[Hashed(alpha, (f"sha256:{'f' * 64}",))])
    assert "no file of alpha 1.5" in error.message
    assert error.place == alpha.place


def test_a_lock_without_hashes_is_rejected(reuse, bundle):
    text = (bundle / TRAINING_LOCK).read_text().replace(f'sha256 = "{DIGEST}"', "")
    (bundle / TRAINING_LOCK).write_text(text)
    assert "hashes" in refusal(reuse).message


@pytest.mark.parametrize(
    "options",
    [
        {"requires-python": "<3.11"},
        {"environments": ["python_version == '3.9'"]},
        {"environments": ["sys_platform == 'win32'"]},
        {"tag": "cp39-cp39-win_amd64"},
    ],
)
def test_a_lock_for_another_platform_is_rejected(reuse, bundle, options):
    write_locks(bundle, {"alpha": "1.5"}, **options)
    error = refusal(reuse)
    assert error.message.startswith("the lock is for another Python or platform; this is Python ")
    assert "build without --locked" in error.remedy


def test_no_sdist_is_built_if_the_lock_has_only_incompatible_wheels(reuse, bundle):
    document = tomllib.loads(lock_of({"alpha": "1.5"}, tag="cp39-cp39-win_amd64"))
    sdist = {"url": "https://example.org/alpha-1.5.tar.gz", "hashes": {"sha256": DIGEST}}
    document["packages"][0]["sdist"] = sdist
    (bundle / TRAINING_LOCK).write_text(tomli_w.dumps(document))
    assert refusal(reuse).details == "no wheel of alpha is compatible"


@pytest.mark.parametrize(
    ("requirement", "problem"),
    [
        ("alpha>=2", "pylock.training.toml has alpha 1.5"),
        ("beta", "pylock.training.toml has no beta"),
        (
            "alpha @ git+https://example.org/alpha.git",
            "pylock.training.toml has it from another location",
        ),
    ],
)
def test_an_unmet_requirement_is_named(reuse, bundle, source, requirement, problem):
    (source / "requirements.txt").write_text(f"\n{requirement}\n")
    error = refusal(reuse)
    assert str(error.place) == "requirements.txt, line 2"
    assert error.message == f"{requirement} is not met: {problem}"
    assert error.remedy == "build without --locked to update the locks"


def test_every_unmet_requirement_and_constraint_is_named(reuse, bundle, source):
    (source / "requirements.txt").write_text("alpha>=2\nbeta\n")
    error = refusal(reuse, ["gamma<1", "flask<3", "-r x"])
    assert error.details.splitlines() == [
        "requirements.txt, line 2: beta is not met: pylock.training.toml has no beta",
        "the constraint flask<3 is not met: pylock.training.toml has flask 3.1",
    ]


def test_the_serving_lock_must_have_the_packages_of_the_service(reuse, bundle):
    (bundle / SERVING_LOCK).write_text(lock_of({"alpha": "1.5"}))
    error = refusal(reuse)
    assert error.message.endswith(
        "for the service, is not met: pylock.serving.toml has no cloudpickle"
    )


def test_the_serving_lock_must_be_a_subset_of_the_training_lock(reuse, bundle):
    write_locks(bundle, {"alpha": "1.5"}, training={**TRAINED, "alpha": "1.6"})
    assert refusal(reuse).message == (
        "alpha==1.5 of pylock.serving.toml is not met: pylock.training.toml has alpha 1.6"
    )


@pytest.mark.parametrize(
    ("requirement", "revision", "fits"),
    [
        ("git+https://example.org/iota.git", None, True),
        ("git+https://ada:secret@example.org/iota#egg=iota", None, True),
        ("git+https://example.org/iota.git@v1", "v1", True),
        (f"git+https://example.org/iota.git@{'a' * 40}", None, True),
        ("git+https://example.org/iota.git@v2", "v1", False),
        ("git+https://example.org/iota.git", "v1", False),
        ("git+https://example.org/kappa.git", None, False),
    ],
)
def test_a_git_requirement_matches_its_repository_and_revision(
    reuse, bundle, source, requirement, revision, fits
):
    document = tomllib.loads(lock_of(TRAINED))
    vcs = {"type": "git", "url": "https://example.org/iota.git", "commit-id": "a" * 40}
    if revision:
        vcs["requested-revision"] = revision
    document["packages"].append({"name": "iota", "version": "1.0", "vcs": vcs})
    (bundle / TRAINING_LOCK).write_text(tomli_w.dumps(document))
    (bundle / SERVING_LOCK).write_text(lock_of(SERVED))
    (source / "requirements.txt").write_text(f"iota @ {requirement}\n")
    if fits:
        assert reuse().training.built_from_source == ("iota",)
    else:
        error = refusal(reuse)
        assert error.message.endswith("pylock.training.toml has it from another location")
        assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("link", "fits"),
    [
        (f"https://ada:secret@example.org/kappa%201-1.0.zip#sha256={DIGEST}", True),
        ("https://example.org/kappa%201-1.1.zip", False),
    ],
)
def test_an_archive_requirement_matches_its_url(reuse, bundle, source, link, fits):
    document = tomllib.loads(lock_of(TRAINED))
    archive = {"url": "https://example.org/kappa%201-1.0.zip", "hashes": {"sha256": DIGEST}}
    document["packages"].append({"name": "kappa", "archive": archive})
    (bundle / TRAINING_LOCK).write_text(tomli_w.dumps(document))
    (bundle / SERVING_LOCK).write_text(lock_of(SERVED))
    (source / "requirements.txt").write_text(f"kappa @ {link}\n")
    if fits:
        assert reuse().training.built_from_source == ("kappa",)
    else:
        assert refusal(reuse).message.endswith("pylock.training.toml has it from another location")


def test_local_folders_are_installed_from_the_source(reuse, bundle, source):
    document = tomllib.loads(lock_of({**TRAINED, "alpha": "1.5"}))
    document["packages"].append({"name": "mine", "directory": {"path": "src/mine"}})
    (bundle / TRAINING_LOCK).write_text(tomli_w.dumps(document))
    (source / "mine").mkdir()
    before = reuse().training
    assert str(source / "mine") in before.install_text
    assert str(bundle) not in before.install_text
    (source / "mine" / "mine.py").write_text("changed = True\n")
    assert reuse().training.digest != before.digest


def test_the_dependencies_of_an_extra_must_be_installed(source, tmp_path):
    for name, requires in {"alpha": ["beta; extra == 'more'"], "gamma": ["alpha[more]"]}.items():
        info = tmp_path / "site" / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        lines = [f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {text}" for text in requires)]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
    found = needed(installed(tmp_path / "site"), ["gamma"])
    assert found == {"gamma": Need(None, {"alpha"}), "alpha": Need("gamma", {"beta"})}
    locks = Locks(None, None, "", "build without --locked")
    (source / "requirements.txt").write_text("alpha\n")
    checked = check(source, ["sub/model.ipynb"], Settings.from_environ({}, {}), None)
    check_complete(locks, tmp_path / "site", checked)
    (source / "requirements.txt").write_text("gamma\n")
    checked = check(source, ["sub/model.ipynb"], Settings.from_environ({}, {}), None)
    with pytest.raises(RequirementsError) as raised:
        check_complete(locks, tmp_path / "site", checked)
    assert raised.value.message == (
        "gamma is not met: alpha needs beta, which pylock.training.toml does not have"
    )
    assert str(raised.value.place) == "requirements.txt, line 1"


@pytest.mark.starts_programs
@pytest.mark.parametrize("name", [TRAINING_LOCK, SERVING_LOCK])
def test_the_locks_of_a_bundle_conform_to_pep_751(kmeans, name):
    text = (kmeans / name).read_text()
    lock = Pylock.from_dict(tomllib.loads(text))
    assert lock.environments
    chosen = list(lock.select())
    assert len(chosen) == len(lock.packages)
    for _package, file in chosen:
        assert file.hashes["sha256"]


def test_a_damaged_bundle_is_reported_as_damaged(reuse, bundle):
    (bundle / "manifest.json").write_text('{"built_by": "nachlass 0.1.0", "schema_version": 1}')
    with pytest.raises(SourceError, match=r"is a damaged bundle: manifest\.json: Object missing"):
        reuse()
