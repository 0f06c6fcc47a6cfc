"""Reusing the lock of the previous bundle, and the files of the source that it names."""

import json
import os
import subprocess
from datetime import UTC, datetime

import pytest
import tomli_w

from nachlass_builder.assemble import choose_lock
from nachlass_builder.assemble.choose_lock import LockChoice
from nachlass_builder.bundle.layout import TRAINING_LOCK
from nachlass_builder.bundle.seed import SEED
from nachlass_builder.foundation.errors import Place
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirements import Requirements
from nachlass_builder.source.prepare import Prepared
from nachlass_builder.source.source import Source


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return a function that chooses a lock like a build, and passes it on in the folder `before`.

    The source has a local package in the folder `mine`.
    """
    before, resolved = tmp_path / "before", []
    source = tmp_path / "work" / "src"
    (source / "mine" / "inner").mkdir(parents=True)
    (source / "mine" / "pyproject.toml").write_text('[project]\nname = "mine"\nversion = "1"\n')

    def resolve(*_, **options):
        resolved.append(options)
        package = {"name": "mine", "directory": {"path": str(source / "mine")}}
        text = tomli_w.dumps({"lock-version": "1.0", "created-by": "uv", "packages": [package]})
        return Lock.from_pylock(text, folder=source, source=source)

    monkeypatch.setattr(choose_lock, "resolve", resolve)

    def choose(*texts):
        place = Place("requirements.txt", line=1)
        requirements = Requirements(merged=[Requirement(text, place) for text in texts])
        settings = Settings.from_environ({}, {})
        prepared = Prepared(Source(source, str(source)), settings, {}, Deadline())
        choice = LockChoice(prepared, source, tmp_path, requirements, Progress())
        count = len(resolved)
        lock, resolution = choice.lock(IndexSettings(root=source), before)
        before.mkdir(exist_ok=True)
        (before / TRAINING_LOCK).write_text(lock.text)
        seed = {"resolution": resolution, "built_by": "nachlass 0"}
        (before / SEED).write_text(json.dumps(seed))
        return lock, len(resolved) == count

    return choose


def test_a_lock_is_reused_until_the_requirements_change(build):
    first, kept = build("mine @ ./mine")
    assert not kept
    assert build("mine @ ./mine") == (first, True)
    assert build("mine @ ./mine", "alpha")[1] is False


def test_a_reused_lock_installs_the_current_code(build, tmp_path):
    first, _ = build("mine @ ./mine")
    (tmp_path / "work/src/mine/inner/code.py").write_text("changed = True")
    second, kept = build("mine @ ./mine")
    assert kept
    assert second.digest != first.digest
    assert str(tmp_path / "work/src/mine") in second.install_text


def test_changed_metadata_of_a_local_package_triggers_a_new_resolution(build, tmp_path):
    build("mine @ ./mine")
    (tmp_path / "work/src/mine/pyproject.toml").write_text('[project]\ndependencies = ["beta"]\n')
    assert build("mine @ ./mine")[1] is False
    assert build("mine @ ./mine")[1] is True


@pytest.fixture
def versions_of_then(tmp_path):
    """Return a function for the advice, given the date of a commit and the requirements."""

    def versions_of_then(day, *texts, **parameters):
        root = tmp_path / "repo"
        root.mkdir()
        (root / "model.ipynb").write_text("{}")
        dates = {"GIT_AUTHOR_DATE": f"{day}T12:00:00Z", "GIT_COMMITTER_DATE": f"{day}T12:00:00Z"}
        identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "All"])[
            : 3 * bool(day)
        ]:
            command = ["git", "-C", root, *identity, *words]
            subprocess.run(command, check=True, env={**os.environ, **dates})
        place = Place("requirements.txt", line=1)
        requirements = Requirements(merged=[Requirement(text, place) for text in texts])
        settings = Settings.from_environ({}, parameters)
        prepared = Prepared(Source(root, str(root)), settings, {}, Deadline())
        return LockChoice(
            prepared, root, tmp_path, requirements, Progress()
        ).suggest_older_versions()

    return versions_of_then


def test_an_old_notebook_is_advised_to_use_versions_of_its_time(versions_of_then):
    advice = versions_of_then("2021-03-04", "pandas", "numpy==1.26.4", "scipy")
    assert advice.startswith(
        "the notebook's last commit is from 2021-03-04, but pandas, scipy are from today: "
        "S2I_RESOLVE_AS_OF=commit selects versions of that date"
    )


@pytest.mark.parametrize(
    ("day", "texts", "parameters"),
    [
        (datetime.now(UTC).date().isoformat(), ["pandas"], {}),
        ("2021-03-04", ["pandas==1.2"], {}),
        ("2021-03-04", ["pandas"], {"S2I_RESOLVE_AS_OF": "commit"}),
        ("", ["pandas"], {}),
    ],
)
def test_new_pinned_dated_and_uncommitted_notebooks_get_no_advice(
    versions_of_then, day, texts, parameters
):
    assert versions_of_then(day, *texts, **parameters) is None
