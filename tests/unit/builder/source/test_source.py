import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.foundation.git import REPOSITORY_VARIABLES
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.source.source import commit_time, locate_source, without_credentials
from nachlass_builder.source.source_files import copy_source, digest_source, files_of, why_left_out
from support.project import TESTS

FOREVER = Deadline()


def git(folder, *words):
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    done = subprocess.run(
        ["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path):
    return filled(tmp_path / "my model")


def filled(root):
    for name, text in {
        "model.ipynb": "{}",
        "données/été.csv": "a,b",
        "data.csv": "ignored",
        ".gitignore": "data.csv\n",
        ".env": "PASSWORD=x",
        ".env.example": "PASSWORD=",
        "deploy.key": "x",
        "ca.pem": "-----BEGIN CERTIFICATE-----",
        "mine.pem": "-----BEGIN RSA PRIVATE KEY-----",
        ".netrc": "x",
        ".s2i/environment": "A=b",
        "__pycache__/x.pyc": "",
        ".nachlass/bundle/manifest.json": "{}",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Create the .git folder of a repository with two commits."""
    root = filled(tmp_path_factory.mktemp("history") / "made")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "One")
    git(root, "tag", "v1")
    (root / "model.ipynb").write_text('{"second": true}')
    git(root, "commit", "-q", "-a", "-m", "Two")
    return root / ".git"


@pytest.fixture
def repository(folder, history):
    shutil.copytree(history, folder / ".git")
    (folder / "model.ipynb").write_text('{"second": true}')
    return folder


def locate(source, tmp_path, context_dir=None):
    return locate_source(str(source), context_dir, tmp_path / "clones", {}, FOREVER)


@pytest.mark.parametrize(
    "names",
    [
        ["GIT_DIR"],
        ["GIT_DIR", "GIT_WORK_TREE"],
        ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"],
        ["GIT_OBJECT_DIRECTORY"],
        ["GIT_COMMON_DIR", "GIT_DIR"],
    ],
    ids="+".join,
)
def test_variables_of_a_git_hook_for_another_repository_are_ignored(
    repository, tmp_path, monkeypatch, names
):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    git(other, "commit", "-q", "--allow-empty", "-m", "Other")
    expected = locate(repository, tmp_path)
    head = git(other, "rev-parse", "HEAD")
    places = {
        "GIT_DIR": other / ".git",
        "GIT_COMMON_DIR": other / ".git",
        "GIT_WORK_TREE": other,
        "GIT_INDEX_FILE": other / ".git/index",
        "GIT_PREFIX": "sub/",
        "GIT_OBJECT_DIRECTORY": other / ".git/objects",
    }
    with monkeypatch.context() as hook:
        for name in names:
            hook.setenv(name, str(places[name]))
        found = locate(repository, tmp_path)
        assert found.commit == expected.commit
        assert digest_source(found, FOREVER) == digest_source(expected, FOREVER)
        cloned = locate(f"file://{repository}", tmp_path)
        assert cloned.commit == expected.commit
    assert git(other, "rev-parse", "HEAD") == head
    assert git(other, "remote") == ""


def test_the_list_of_gits_repository_variables_is_complete():
    variables = {*git(Path.cwd(), "rev-parse", "--local-env-vars").split()}
    settings = {"GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}
    assert variables - settings <= REPOSITORY_VARIABLES


def test_git_determines_which_files_are_copied(repository, tmp_path):
    (repository / "untracked.txt").write_text("x")
    source = locate(repository, tmp_path)
    copied = copy_source(source, tmp_path / "copy", FOREVER)
    names = {str(p.relative_to(tmp_path / "copy")) for p in (tmp_path / "copy").rglob("*.*")}
    assert names == {
        "model.ipynb",
        "données/été.csv",
        ".gitignore",
        ".env.example",
        "ca.pem",
        "untracked.txt",
    }
    assert list(map(str, copied.files.secrets)) == [
        ".env (an environment file)",
        ".netrc (package manager credentials)",
        "deploy.key (a key store)",
        "mine.pem (a private key)",
    ]
    assert copied.digest == digest_source(source, FOREVER)
    assert source.dirty is True
    assert "git ignores it" in why_left_out(source, "data.csv", FOREVER)
    assert "it looks like an environment file" in why_left_out(source, ".env", FOREVER)
    assert why_left_out(source, "model.ipynb", FOREVER) is None
    assert why_left_out(source, "absent.csv", FOREVER) is None


@pytest.mark.starts_programs
def test_a_notebook_ignored_by_git_is_reported_as_such(repository, nachlass, tmp_path):
    (repository / ".gitignore").write_text("*.ipynb\n")
    for path in repository.glob("*.ipynb"):
        git = ["git", "-C", repository, "rm", "--quiet", "--cached", path.name]
        subprocess.run(git, check=True)
    build = ["build", "-o", tmp_path / "bundle"]
    for words in (["check"], build, [*build, "-e", "S2I_SOURCE_NOTEBOOK=./model.ipynb"]):
        completed = nachlass(*words, repository)
        assert completed.returncode == 3
        assert "model.ipynb is in your folder, but git ignores it" in completed.stderr


@pytest.mark.parametrize("kind", ["repository", "folder"])
def test_a_file_name_that_is_not_utf_8_is_copied(kind, request, tmp_path):
    root = request.getfixturevalue(kind)
    name = os.fsdecode(b"caf\xe9.csv")
    (root / name).write_text("x")
    source = locate(root, tmp_path)
    copied = copy_source(source, tmp_path / "copy", FOREVER)
    assert (tmp_path / "copy" / name).read_text() == "x"
    assert copied.digest == digest_source(source, FOREVER)


def test_every_file_is_copied_without_git(folder, tmp_path):
    source = locate(folder, tmp_path)
    assert source.commit is None
    assert "data.csv" in files_of(source, FOREVER).names


def test_a_notebook_file_selects_its_repository(repository, tmp_path):
    (repository / "sub").mkdir()
    (repository / "sub" / "a.ipynb").write_text("{}")
    source = locate(repository / "sub" / "a.ipynb", tmp_path)
    assert (source.root, source.notebook) == (repository, "sub/a.ipynb")


def test_a_digest_depends_on_names_modes_and_contents(folder, tmp_path):
    source = locate(folder, tmp_path)
    digests = [digest_source(source, FOREVER)]
    (folder / "data.csv").write_text("other")
    digests.append(digest_source(source, FOREVER))
    (folder / "data.csv").chmod(0o755)
    digests.append(digest_source(source, FOREVER))
    (folder / "data.csv").rename(folder / "renamed.csv")
    digests.append(digest_source(source, FOREVER))
    assert len(set(digests)) == 4


def test_internal_links_are_kept_and_external_links_become_absolute(folder, tmp_path):
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "inside").symlink_to("model.ipynb")
    (folder / "outside").symlink_to("../outside.txt")
    (folder / "absolute").symlink_to(folder / "data.csv")
    source = locate(folder, tmp_path)
    copied = copy_source(source, tmp_path / "copy", FOREVER)
    assert copied.digest == digest_source(source, FOREVER)
    assert str((tmp_path / "copy" / "absolute").readlink()) == "data.csv"
    assert (tmp_path / "copy" / "inside").readlink().name == "model.ipynb"
    assert (tmp_path / "copy" / "outside").read_text() == "outside"


@pytest.mark.starts_programs
@pytest.mark.parametrize("ref", ["", "#main", "#v1", "COMMIT"])
def test_a_git_url_is_cloned_at_its_ref(repository, tmp_path, ref):
    first = git(repository, "rev-parse", "v1")
    url = f"file://{repository}".replace(" ", "%20")
    source = locate(f"{url}#{first}" if ref == "COMMIT" else f"{url}{ref}", tmp_path)
    old = ref in ("#v1", "COMMIT")
    assert ((source.root / "model.ipynb").read_text() == "{}") is old
    assert source.temporary
    assert (source.commit == first) is old


@pytest.mark.starts_programs
def test_the_time_of_a_notebooks_commit_needs_the_history(repository, tmp_path):
    (repository / "other.txt").write_text("x")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "Three", "--date", "2030-01-01T00:00:00Z")
    expected = git(repository, "log", "-1", "--format=%cI", "HEAD~1")
    url = f"file://{repository}".replace(" ", "%20")
    assert commit_time(locate(url, tmp_path), "model.ipynb", FOREVER) == expected
    with pytest.raises(SourceError, match="not in any git commit"):
        commit_time(locate(repository, tmp_path), "absent.ipynb", FOREVER)


@pytest.mark.parametrize(
    ("source", "context_dir"),
    [("absent", None), (".", "absent"), (".", "../.."), ("file:///absent.git", None)],
)
def test_a_missing_source_is_rejected(folder, tmp_path, monkeypatch, source, context_dir):
    monkeypatch.chdir(folder)
    with pytest.raises(SourceError):
        locate(source, tmp_path, context_dir)


def test_credentials_in_a_url_are_not_shown(tmp_path):
    with pytest.raises(SourceError) as caught:
        locate("https://user:hunter22@127.0.0.1:1/x.git", tmp_path)
    assert "hunter22" not in str(caught.value)
    assert without_credentials("https://a:b@c.example/d") == "https://c.example/d"
    assert without_credentials("git@c.example:d") == "git@c.example:d"


def test_secrets_of_a_nested_repository_are_left_out(repository, tmp_path):
    inner = repository / "lib"
    inner.mkdir()
    git(inner, "init", "-q")
    for name in ("tool.py", ".env", "ignored.csv"):
        (inner / name).write_text("x")
    (inner / ".gitignore").write_text("ignored.csv\n")
    files, secrets, _submodules = files_of(locate(repository, tmp_path), FOREVER)
    assert {"lib/tool.py", "lib/.gitignore"} <= set(files)
    assert "lib/ignored.csv" not in files
    assert "lib/.env" in dict(secrets)


def test_the_reason_a_file_was_left_out_is_explained(repository, tmp_path):
    for folder in ("nb", "node_modules/a", ".s2i", "empty"):
        (repository / folder).mkdir(parents=True, exist_ok=True)
    for name in ("nb/model.ipynb", "node_modules/a/x.csv", ".s2i/x.csv", "../elsewhere.csv"):
        (repository / name).write_text("x")

    def why(name, root=repository):
        return why_left_out(locate(root, tmp_path), name, FOREVER)

    assert "build a notebook by its path, such as nb/model.ipynb" in why(
        "../données/été.csv", repository / "nb"
    )
    assert why("../../elsewhere.csv", repository / "nb").endswith("being built: copy it there")
    assert "files in node_modules" in why("node_modules/a/x.csv")
    assert "files in .s2i" in why(".s2i/x.csv")
    assert "no file in it is part of the source" in why("empty")
    assert "git ignores it" in why("data.csv")
    shutil.rmtree(repository / ".git")
    assert why("data.csv") is None
    assert "files in .s2i" in why(".s2i/x.csv")


def test_a_missing_submodule_is_reported(repository, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    (other / "tool.py").write_text("x")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "Other")
    allowed = ["-c", "protocol.file.allow=always", "submodule", "--quiet"]
    git(repository, *allowed, "add", str(other), "lib")
    git(repository, "commit", "-q", "-m", "With a submodule")
    assert "lib/tool.py" in files_of(locate(repository, tmp_path), FOREVER).names
    git(repository, "submodule", "--quiet", "deinit", "--force", "lib")
    source = locate(repository, tmp_path)
    files = files_of(source, FOREVER)
    assert files.submodules == ["lib"]
    assert [name for name in files.names if name.startswith("lib")] == []
    assert ".gitmodules" in files.names
    warning = files.warnings[0]
    assert warning.startswith("lib: the submodule is not checked out")
    assert copy_source(source, tmp_path / "copy", FOREVER).files == files


def test_a_ref_is_not_an_option(repository, tmp_path):
    with pytest.raises(SourceError, match="not a branch"):
        locate(f"file://{tmp_path}#--upload-pack=/bin/true", tmp_path)


def test_a_bundle_inside_the_source_is_excluded(folder):
    manifest = (TESTS / "manifest.example.json").read_text()
    for name in ("out/first", "data"):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.pickle").touch()
        (folder / name / "manifest.json").write_text(manifest if name != "data" else "{}")
    source = locate_source(str(folder), None, Path(), {}, FOREVER)
    files = files_of(source, FOREVER).names
    assert [name for name in files if name.startswith("out")] == []
    assert [name for name in files if name.startswith("data/")] == [
        "data/manifest.json",
        "data/model.pickle",
    ]


def test_git_lfs_pointers_are_detected(folder, tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (folder / "weights.bin").write_text(pointer)
    (folder / "notes.txt").write_text(f"see {pointer}")
    copied = copy_source(locate(folder, tmp_path), tmp_path / "copy", FOREVER)
    assert copied.pointers == ("weights.bin",)


def test_a_source_completely_ignored_by_git_is_copied_as_an_empty_folder(folder, tmp_path):
    (folder / ".gitignore").write_text("*\n")
    git(folder, "init", "-q")
    copy_source(locate(folder, tmp_path), tmp_path / "copy", FOREVER)
    assert list((tmp_path / "copy").iterdir()) == []
