"""Private indexes and repositories work as with pip, and no password is stored or shown."""

import shutil
import subprocess
from urllib.parse import quote

import pytest
from uv import find_uv_bin

from support.cells import write_notebook
from support.private_servers import (
    PASSWORD,
    SPELLINGS,
    USER,
    USERINFO,
    make_repository,
    package_files,
    private_server,
    ssh_server,
)
from support.wheels import make_index, make_wheel

PYPI = "https://pypi.org/simple"
ENABLE_SSH = "apt-get install openssh-server"

MODEL = """\
# %%
import os, sys
print(dict(os.environ))
print(sys.argv, open("/proc/self/environ", errors="replace").read())
# %%
import secretlib


def predictor(x):
    return secretlib.VERSION
# %%
samples = [1, 2]
"""


@pytest.fixture
def server(tmp_path):
    root = tmp_path / "server"
    make_wheel(root / "files", "secretlib")
    make_wheel(root / "more" / "files", "otherlib")
    make_index(root)
    make_index(root / "more")
    make_repository(root / "secretlib.git", package_files("secretlib"))
    with private_server(root) as address:
        yield address


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def source(tmp_path):
    return write_notebook(tmp_path / "repo" / "model.ipynb", MODEL).parent


@pytest.fixture(scope="session")
def uv_cache():
    """Return the user's cache of wheels, for tests with another home."""
    words = [find_uv_bin(), "cache", "dir"]
    return subprocess.run(words, capture_output=True, encoding="utf-8", check=True).stdout.strip()


@pytest.fixture
def build(nachlass, tmp_path, home, source, uv_cache, own_cache):
    """Return a function that builds with a separate home and searches for the password.

    `expected_in` are the files below tmp_path in which the user has written it.
    """

    def run(*words, environment=None, exit_code=0, secrets=SPELLINGS, expected_in=()):
        environment = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "UV_CACHE_DIR": uv_cache,
            "S2I_CACHE_DIR": str(own_cache),
            **(environment or {}),
        }
        bundle = tmp_path / "bundle"
        built = nachlass("build", *(words or [source]), "-o", bundle, environment=environment)
        assert built.returncode == exit_code, built.stderr
        for secret in secrets:
            assert secret not in built.stdout
            assert secret not in built.stderr
        assert files_containing(secrets, tmp_path, ("bundle", "repo", "cache")) == set(expected_in)
        if exit_code == 0:
            predicted = nachlass("predict", bundle, "1", environment=environment)
            assert predicted.stdout == '"1.0"\n', predicted.stderr
        return built, bundle, environment

    yield run
    shutil.rmtree(own_cache, ignore_errors=True)  # environments are large


def files_containing(secrets, root, folders):
    """Return the files of any kind in the folders that contain one of the secrets."""
    existing = [name for name in folders if (root / name).exists()]
    patterns = [word for secret in secrets for word in ("-e", secret)]
    words = ["grep", "-r", "-l", "-F", "-a", *patterns, "--", *existing]
    found = subprocess.run(words, cwd=root, capture_output=True, encoding="utf-8", check=False)
    return set(found.stdout.splitlines())


def write_requirements(source, text):
    (source / "requirements.txt").write_text(text)


def test_a_password_in_pip_index_url_is_used_but_not_stored(
    server, source, build, nachlass, tmp_path
):
    write_requirements(source, "secretlib\n")
    environment = {
        "PIP_INDEX_URL": f"http://{USERINFO}@{server}/simple/",
        "PIP_EXTRA_INDEX_URL": PYPI,
    }
    _, bundle, environment = build(environment=environment)
    lock = (bundle / "pylock.serving.toml").read_text()
    assert f"http://{server}/" in lock
    # A user with the bundle and the password can install it again.
    environment["S2I_CACHE_DIR"] = str(tmp_path / "other cache")
    again = nachlass("predict", bundle, "1", environment=environment)
    assert again.stdout == '"1.0"\n', again.stderr
    assert not files_containing(SPELLINGS, tmp_path, ("bundle", "other cache"))


def test_a_password_in_the_environment_file_is_used_but_not_stored(server, source, build):
    write_requirements(source, "secretlib==1.0\n")
    path = source / ".s2i" / "environment"
    path.parent.mkdir()
    path.write_text(f"PIP_EXTRA_INDEX_URL=http://{USERINFO}@{server}/simple/\n")
    build(expected_in={"repo/.s2i/environment"})


def test_passwords_in_pip_conf_and_in_a_variable_are_used_but_not_stored(
    server, source, build, home
):
    conf = home / ".config" / "pip" / "pip.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(
        f"[global]\nextra-index-url =\n    {PYPI}\n    http://{USERINFO}@{server}/simple/\n"
    )
    write_requirements(
        source,
        f"--extra-index-url http://{USER}:${{INDEX_PASSWORD}}@{server}/more/simple/\n"
        "secretlib==1.0\notherlib==1.0\n",
    )
    build(environment={"INDEX_PASSWORD": quote(PASSWORD, safe="")})


def test_a_password_in_netrc_works_for_index_and_git(server, source, build, home):
    write_requirements(
        source,
        f"--extra-index-url http://{server}/more/simple/\notherlib==1.0\n"
        f"secretlib @ git+http://{server}/secretlib.git\n",
    )
    netrc = home / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    netrc.chmod(0o600)
    build()


def test_a_failing_build_does_not_show_the_password(server, source, build):
    write_requirements(source, "secretlib==2.0\n")
    url = f"http://{USERINFO}@{server}/simple/"
    built, *_ = build(environment={"PIP_EXTRA_INDEX_URL": url}, exit_code=5)
    assert (
        "requirements.txt, line 1: no version of secretlib matches secretlib==2.0" in built.stderr
    )


def test_a_wrong_password_is_reported_but_not_shown(server, source, build):
    write_requirements(source, "secretlib==1.0\n")
    wrong = "NoSuchEngine1843"
    built, *_ = build(
        environment={"PIP_EXTRA_INDEX_URL": f"http://{USER}:{wrong}@{server}/simple/"},
        exit_code=5,
        secrets=(wrong,),
    )
    assert "the package index denies access to secretlib" in built.stderr
    assert f"http://{server}/simple/" in built.stderr


def test_a_git_requirement_is_fetched_with_a_credential_helper(server, source, build, home):
    write_requirements(source, f"secretlib @ git+http://{server}/secretlib.git@main\n")
    stored = home / "stored"
    stored.write_text(f"http://{USERINFO}@{server}\n")
    (home / ".gitconfig").write_text(f"[credential]\n\thelper = store --file={stored}\n")
    build()


def test_a_git_requirement_without_credentials_fails_with_a_hint(server, source, build):
    write_requirements(source, f"secretlib @ git+http://{server}/secretlib.git\n")
    built, *_ = build(exit_code=5)
    assert "requirements.txt, line 1: secretlib @ git+http" in built.stderr
    assert "cannot be fetched" in built.stderr
    assert "~/.netrc" in built.stderr


def test_a_password_in_the_url_of_a_git_requirement_is_not_stored(server, source, build, nachlass):
    write_notebook(
        source / "model.ipynb",
        f'# %%\n%pip install "git+http://{USERINFO}@{server}/secretlib.git"\n{MODEL}',
    )
    checked = nachlass("check", source)
    assert "secretlib @ git+http" in checked.stdout
    assert USERINFO not in checked.stdout
    build(expected_in={"repo/model.ipynb", "bundle/src/model.ipynb"})


def test_a_password_in_the_url_of_a_git_source_is_not_stored(server, build, tmp_path, source):
    write_requirements(source, f"--extra-index-url http://{server}/simple/\nsecretlib==1.0\n")
    files = {path.name: path.read_text() for path in source.iterdir()}
    make_repository(tmp_path / "server" / "model.git", files)
    url = f"http://{USERINFO}@{server}"
    words = ("-e", f"PIP_EXTRA_INDEX_URL={url}/simple/")
    _, bundle, _ = build(f"{url}/model.git", *words)
    assert f"http://{server}/model.git" in (bundle / "manifest.json").read_text()


@pytest.mark.needs("sshd", ENABLE_SSH)
def test_a_git_requirement_is_fetched_over_ssh_with_an_agent(source, build, tmp_path):
    repository = make_repository(tmp_path / "server" / "secretlib.git", package_files("secretlib"))
    with ssh_server(tmp_path / "ssh") as (address, variables):
        write_requirements(source, f"secretlib @ git+ssh://{address}{repository}\n")
        key = (tmp_path / "ssh" / "user").read_text().splitlines()
        build(environment=variables, secrets=key[1:-1])
