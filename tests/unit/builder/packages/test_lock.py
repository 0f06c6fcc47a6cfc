import http.server
import json
import os
import shutil
import subprocess
import sys
from base64 import b64encode
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.resolve import resolve
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirement_hashes import Hashed
from support.wheels import ELSEWHERE, make_index, make_sdist, make_wheel

pytestmark = pytest.mark.starts_programs

HERE = f"Python {sys.version_info.major}.{sys.version_info.minor}"
PASSWORD = "open/sesame"
ENCODED = "open%2Fsesame"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Create an index with the relevant cases; return the folder above its `simple/`."""
    folder = tmp_path_factory.mktemp("index")
    for version in ("1.0", "2.0", "3.0"):
        make_wheel(folder / "files", "alpha", version)
    make_wheel(folder / "files", "beta", requires=["alpha<3"])
    make_wheel(folder / "files", "gamma", requires=["alpha>=3"])
    make_wheel(folder / "files", "delta", "0.5")
    make_wheel(folder / "files", "delta", "1.0", tag=ELSEWHERE)
    make_sdist(folder / "files", "delta", "1.0")
    make_wheel(folder / "files", "delta", "1.5")
    make_wheel(folder / "files", "epsilon", requires=["delta==1.0"])
    make_wheel(folder / "files", "zeta", tag="cp39-cp39-win_amd64")
    make_sdist(folder / "files", "eta")
    make_index(folder)
    return folder


@pytest.fixture
def environ(tmp_path, published):
    """Return the variables for uv, with the index above as the only one."""
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": (published / "simple").as_uri(),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_HTTP_RETRIES": "0",
        "UV_NO_CONFIG": "1",
    }


@pytest.fixture
def ask(tmp_path, environ):
    """Return a function that resolves requirements, each on a separate line of requirements.txt."""

    def ask(
        *texts,
        ours=(),
        constraints=(),
        hashes=(),
        required=None,
        root=None,
        as_of=None,
        **variables,
    ):
        indexes = IndexSettings.read({**environ, **variables}, root)
        return resolve(
            [
                Requirement(text, Place("requirements.txt", line=line))
                for line, text in enumerate(texts, start=1)
            ],
            ours,
            indexes=indexes,
            constraints=constraints,
            hashes=hashes,
            require_hashes=required,
            as_of=as_of,
            work=tmp_path,
            deadline=Deadline(),
        )

    return ask


def refusal(ask, *texts, **options):
    with pytest.raises(RequirementsError) as raised:
        ask(*texts, **options)
    return raised.value


@contextmanager
def served(folder, pages="text/html"):
    """Serve a folder over HTTP, protected by a password; yield `127.0.0.1:PORT`."""
    expected = "Basic " + b64encode(f"joe:{PASSWORD}".encode()).decode()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.headers.get("Authorization") == expected:
                super().do_GET()
                return
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words):
            pass

    Handler.extensions_map = {".html": pages}
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=folder)
    ) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def write_netrc(environ):
    path = Path(environ["HOME"]) / ".netrc"
    path.parent.mkdir()
    path.touch(mode=0o600)
    path.write_text(f"machine 127.0.0.1 login joe password {PASSWORD}\n")


def test_everything_is_locked_with_hashes(ask):
    lock = ask("beta")
    assert lock.packages == (("alpha", "2.0"), ("beta", "1.0"))
    assert lock.text.count("sha256") == 2
    assert lock.built_from_source == ()
    assert 'created-by = "nachlass"' in lock.text
    assert "uv pip compile" not in lock.text


def test_the_digest_depends_only_on_the_content_of_the_lock(ask, tmp_path):
    lock = ask("beta")
    assert lock.digest == ask("beta").digest
    assert lock.digest != ask("alpha").digest
    (tmp_path / "pylock.training.toml").write_text("# a comment\n" + lock.text)
    assert Lock.read(tmp_path / "pylock.training.toml").digest == lock.digest


def test_a_subset_keeps_the_pins(ask):
    lock = ask("beta").subset({"Alpha"})
    assert lock.packages == (("alpha", "2.0"),)
    assert "beta" not in lock.install_text


@pytest.mark.parametrize(
    "text", ["[[", '[[packages]]\nname = "mine"\n[packages.directory]\neditable = true\n']
)
def test_an_unreadable_lock_is_named(tmp_path, text):
    (tmp_path / "pylock.x.toml").write_text(text)
    with pytest.raises(RequirementsError, match="cannot be read") as raised:
        Lock.read(tmp_path / "pylock.x.toml")
    assert raised.value.place.file.endswith("pylock.x.toml")


def test_a_pin_without_a_suitable_wheel_is_rejected_with_the_nearest_versions(ask):
    error = refusal(ask, "alpha", "delta==1.0")
    assert str(error) == (
        f"error: requirements.txt, line 2: delta==1.0 has no wheel for {HERE}, "
        "only for Python 3.9\n"
        f"help: the nearest versions with a wheel for {HERE} are delta==0.5 and delta==1.5; "
        "or set PIP_NO_BINARY=delta to build it from source anyway"
    )


def test_a_pin_with_a_wheel_only_for_a_newer_python_names_that_python(ask, tmp_path):
    newer = sys.version_info.minor + 1
    make_wheel(tmp_path / "links", "nu", tag=f"cp3{newer}-cp3{newer}-manylinux1_x86_64")
    error = refusal(ask, "nu==1.0", PIP_FIND_LINKS=str(tmp_path / "links"))
    assert error.message.endswith(f"only for Python 3.{newer}")
    assert error.remedy == (
        f"no version of nu has a wheel for {HERE}; or build with Python 3.{newer}"
    )


def test_a_pin_without_a_wheel_is_built_if_the_user_insists(ask):
    lock = ask("delta==1.0", PIP_NO_BINARY="delta")
    assert lock.built_from_source == ("delta",)
    assert lock.notes == ("delta is built from source",)


def test_a_range_selects_a_version_with_a_wheel(ask):
    assert ask("delta<1.5").packages == (("delta", "0.5"),)


def test_a_dependency_on_a_version_without_a_wheel_is_rejected(ask):
    error = refusal(ask, "alpha", "epsilon")
    assert error.message == f"epsilon and its dependencies cannot be resolved for {HERE}"
    assert error.place == Place("requirements.txt", line=2)
    assert "delta" in error.details


def test_a_source_only_distribution_is_built(ask):
    lock = ask("eta", "alpha")
    assert lock.built_from_source == ("eta",)
    assert lock.notes == ("eta has no wheel and is built from source",)


def test_a_distribution_for_another_system_is_rejected(ask):
    assert "only other systems" in refusal(ask, "zeta").message


def test_a_missing_version_is_distinguished_from_an_unknown_distribution(ask, published):
    error = refusal(ask, "delta==1.2", "theta")
    assert error.message == "no version of delta matches delta==1.2"
    assert "delta==0.5 and delta==1.5" in error.remedy
    index = (published / "simple").as_uri()
    there_is_none = f"there is no distribution theta on {index}"
    assert error.details == f"requirements.txt, line 2: {there_is_none}"
    assert refusal(ask, "theta").message == there_is_none


def test_a_conflict_names_only_the_incompatible_requirements(ask):
    error = refusal(ask, "eta", "beta", "delta", "alpha==3.0", ours=["gamma"])
    assert error.message == "beta and alpha==3.0 (requirements.txt, line 4) are incompatible"
    assert error.place == Place("requirements.txt", line=2)
    assert error.remedy == "allow other versions of beta or alpha"
    assert "beta" in error.details


def test_a_conflict_about_one_distribution_needs_no_details(ask):
    error = refusal(ask, "eta", "alpha==1.0", "alpha>=2", ours=["beta"])
    assert str(error) == (
        "error: requirements.txt, line 2: alpha==1.0 and alpha>=2 (requirements.txt, line 3) "
        "are incompatible\nhelp: allow other versions of alpha"
    )


def test_a_conflict_with_our_requirements_names_their_purpose(ask):
    error = refusal(ask, "eta", "alpha==1.0", ours=["gamma"])
    assert error.message == "alpha==1.0 and gamma (needed by the service) are incompatible"
    assert "cannot change" in error.remedy


def test_a_conflict_with_a_constraint_is_reported_as_one(ask):
    error = refusal(ask, "beta", constraints=["alpha==3.0"])
    assert error.message.endswith("under the configured constraints")
    assert "uv.lock" in error.remedy


def test_constraints_are_respected(ask):
    assert ask("alpha", constraints=["alpha<2"]).packages == (("alpha", "1.0"),)


def test_an_unreachable_index_is_not_reported_as_a_missing_package(ask):
    error = refusal(ask, "alpha", PIP_INDEX_URL=f"http://joe:{ENCODED}@127.0.0.1:1/simple")
    assert error.message == "the package index cannot be read (http://127.0.0.1:1/simple)"
    assert ENCODED not in str(error)


def test_a_wheelhouse_is_named_by_its_path_in_the_bundle(ask, tmp_path):
    root = tmp_path / "source"
    make_wheel(root / "wheels", "kappa", requires=["mu"])
    make_wheel(root / "wheels", "mu")
    lock = ask("kappa", root=root, PIP_NO_INDEX="1")
    assert 'path = "src/wheels/kappa-1.0-py3-none-any.whl"' in lock.text
    assert str(tmp_path) not in lock.text
    assert lock.only_here == ()
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle/pylock.serving.toml").write_text(lock.text)
    read = Lock.read(tmp_path / "bundle/pylock.serving.toml")
    assert f'path = "{tmp_path}/bundle/src/wheels/kappa' in read.install_text


def test_files_outside_the_source_are_reported(ask, tmp_path):
    make_wheel(tmp_path / "links", "kappa")
    (tmp_path / "source").mkdir()
    lock = ask("kappa", root=tmp_path / "source", PIP_FIND_LINKS=str(tmp_path / "links"))
    assert lock.only_here == ("kappa",)
    assert f"{tmp_path}/links/kappa" in lock.of_source(tmp_path / "other").install_text


def test_a_folder_of_the_source_is_part_of_the_digest(ask, tmp_path):
    root = tmp_path / "source"
    (root / "mine").mkdir(parents=True)
    (root / "mine/pyproject.toml").write_text('[project]\nname = "mine"\nversion = "1"\n')
    text = f"mine @ file://{root}/mine"
    before = ask(text, root=root)
    assert 'path = "src/mine"' in before.text
    assert before.built_from_source == ("mine",)
    (root / "mine/inner").mkdir()
    (root / "mine/inner/mine.py").write_text("")
    assert ask(text, root=root).digest != before.digest


def test_a_reused_lock_refers_to_the_current_source(ask, tmp_path):
    root = tmp_path / "source"
    (root / "mine/inner").mkdir(parents=True)
    (root / "mine/pyproject.toml").write_text('[project]\nname = "mine"\nversion = "1"\n')
    before = ask(f"mine @ file://{root}/mine", root=root)
    (tmp_path / "pylock.training.toml").write_text(before.text)
    moved = shutil.copytree(root, tmp_path / "moved")
    kept = Lock.read(tmp_path / "pylock.training.toml").of_source(moved)
    assert kept.digest == before.digest
    assert f'path = "{moved}/mine"' in kept.install_text
    (moved / "mine/inner/mine.py").write_text("changed = True")
    kept = kept.of_source(moved)
    assert kept.digest != before.digest
    (moved / "mine/README.md").write_text("what it is")
    assert before.changed_in(moved) == []
    (moved / "mine/pyproject.toml").write_text('[project]\nname = "mine"\nversion = "2"\n')
    assert before.changed_in(moved) == ["mine"]
    shutil.rmtree(moved / "mine")
    assert before.changed_in(moved) == ["mine"]


def test_changed_wheels_of_the_source_are_detected(ask, tmp_path):
    root = tmp_path / "source"
    make_wheel(root / "wheels", "kappa")
    lock = ask("kappa", root=root, PIP_NO_INDEX="1")
    assert lock.changed_in(root) == []
    make_wheel(root / "wheels", "kappa", files={"kappa.py": "changed = True"})
    assert lock.changed_in(root) == ["kappa"]
    shutil.rmtree(root / "wheels")
    assert lock.changed_in(root) == ["kappa"]


@pytest.mark.parametrize("known_by", ["url", "netrc"])
def test_a_private_index_works_and_its_password_is_not_stored(ask, environ, published, known_by):
    with served(published) as host:
        user = f"joe:{ENCODED}@" if known_by == "url" else ""
        if known_by == "netrc":
            write_netrc(environ)
        lock = ask("beta", PIP_INDEX_URL=f"http://{user}{host}/simple")
        error = refusal(ask, "beta", "alpha==7", PIP_INDEX_URL=f"http://{user}{host}/simple")
    assert f"http://{host}/files/beta" in lock.text
    assert "sesame" not in lock.text + str(error) + repr(lock)


def test_a_wrong_password_is_not_reported_as_a_missing_package(ask, published):
    with served(published) as host:
        index = f"http://joe:wrong-one@{host}/simple"
        error = refusal(ask, "beta", "delta", ours=["alpha"], PIP_INDEX_URL=index)
    assert error.message == (
        f"the package index denies access to beta and 2 more (http://{host}/simple)"
    )
    assert error.remedy == "check the index's username and password (in its URL or ~/.netrc)"
    assert "401 Unauthorized" in error.details
    assert "delta" not in error.details
    assert "wrong-one" not in str(error)


def test_a_missing_password_is_requested(ask, published):
    with served(published) as host:
        error = refusal(ask, "beta", PIP_INDEX_URL=f"http://{host}/simple")
    assert error.remedy == "put a username and password into PIP_INDEX_URL or ~/.netrc"


@pytest.fixture
def repository(tmp_path):
    """Create a bare git repository of a package that a plain web server can serve."""
    source = tmp_path / "package"
    source.mkdir()
    (source / "pyproject.toml").write_text('[project]\nname = "iota"\nversion = "4.0"\n')
    me = ["-c", "user.name=Me", "-c", "user.email=me@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*me, "commit", "-qm", "Begin"]):
        subprocess.run(["git", *words], cwd=source, check=True)
    bare = tmp_path / "served" / "iota.git"
    subprocess.run(["git", "clone", "-q", "--bare", source, bare], check=True)
    subprocess.run(["git", "update-server-info"], cwd=bare, check=True)
    return bare


def test_a_git_requirement_is_locked_to_its_commit(ask, repository):
    lock = ask(f"iota @ git+file://{repository}")
    assert lock.packages == (("iota", "4.0"),)
    assert lock.built_from_source == ("iota",)
    assert "commit-id" in lock.text


@pytest.mark.parametrize("known_by", ["url", "netrc"])
def test_a_private_repository_works_and_its_password_is_not_stored(
    ask, environ, repository, known_by
):
    with served(repository.parent) as host:
        user = f"joe:{ENCODED}@" if known_by == "url" else ""
        if known_by == "netrc":
            write_netrc(environ)
        lock = ask(f"iota @ git+http://{user}{host}/iota.git")
        error = refusal(ask, f"nu @ git+http://{user}{host}/nu.git")
    assert f'url = "http://{host}/iota.git"' in lock.text
    assert "sesame" not in lock.text + str(error)
    assert "cannot be fetched" in error.message


@pytest.fixture
def dated(tmp_path):
    """Create an index with upload times, as a folder to serve."""
    published = {"xi": {"1.0": "2020", "2.0": "2024"}, "omicron": {"1.0": "2024"}}
    for name, versions in published.items():
        files = []
        for version, year in versions.items():
            requires = ["xi>=1"] if name == "omicron" else []
            path = make_wheel(tmp_path / "dated/files", name, version, requires)
            digest = sha256(path.read_bytes()).hexdigest()
            files.append(
                {
                    "filename": path.name,
                    "url": f"../../files/{path.name}",
                    "hashes": {"sha256": digest},
                    "upload-time": f"{year}-01-01T00:00:00Z",
                }
            )
        page = {"meta": {"api-version": "1.1"}, "name": name, "files": files}
        path = tmp_path / "dated/simple" / name / "index.html"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(page))
    return tmp_path / "dated"


def test_a_date_applies_to_the_users_requirements_but_not_to_ours(ask, dated):
    with served(dated, pages="application/vnd.pypi.simple.v1+json") as host:
        index = {"PIP_INDEX_URL": f"http://joe:{ENCODED}@{host}/simple"}
        assert ask("xi", **index).packages == (("xi", "2.0"),)
        lock = ask("xi", ours=["omicron"], as_of="2022-06-01", **index)
        assert lock.packages == (("omicron", "1.0"), ("xi", "1.0"))
        error = refusal(ask, "xi==2.0", as_of="2022-06-01", **index)
        assert error.message == (
            "xi==2.0 did not exist on 2022-06-01, or its index gives no upload dates"
        )
        error = refusal(ask, "xi", ours=["xi>=2"], as_of="2022-06-01", **index)
        assert error.message == "xi==1.0 and xi>=2 (needed by the service) are incompatible"


def test_the_lock_has_only_files_with_the_required_hashes(ask, published):
    place = Place("requirements.txt", line=1)
    digest = sha256((published / "files" / "alpha-2.0-py3-none-any.whl").read_bytes()).hexdigest()
    held = Hashed(Requirement("alpha==2.0", place), (f"sha256:{digest}",))
    assert ask("alpha==2.0", hashes=[held], required=place).packages == (("alpha", "2.0"),)
    other = Hashed(Requirement("alpha==3.0", place), (f"sha256:{'f' * 64}",))
    assert ask("alpha==2.0", hashes=[other]).packages == (("alpha", "2.0"),)
    with pytest.raises(RequirementsError, match=r"no file of alpha 3\.0"):
        ask("alpha", hashes=[other])


def test_require_hashes_covers_dependencies_but_not_our_requirements(ask, published):
    place = Place("requirements.txt", line=1)
    path = published / "files" / "gamma-1.0-py3-none-any.whl"
    digest = sha256(path.read_bytes()).hexdigest()
    held = Hashed(Requirement("gamma==1.0", place), (f"sha256:{digest}",))
    with pytest.raises(RequirementsError, match=r"alpha 3\.0 has no hash"):
        ask("gamma==1.0", ours=["delta"], hashes=[held], required=place)
    alpha = sha256((published / "files" / "alpha-3.0-py3-none-any.whl").read_bytes()).hexdigest()
    all_held = [held, Hashed(Requirement("alpha", place), (f"sha256:{alpha}",))]
    lock = ask("gamma==1.0", ours=["delta"], hashes=all_held, required=place)
    assert ("delta", "1.5") in lock.packages
