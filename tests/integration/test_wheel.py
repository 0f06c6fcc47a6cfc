"""The installed wheel builds read-only sources, also for users without a home."""

import email
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from nachlass_builder import __version__
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.uv_program import uv_environment
from support.cells import write_notebook
from support.project import NOT_IN_GIT

PROJECT = Path(__file__).parents[2]
KINDS = ("*.py", "*.yml", "*.html", "*.css", "*.js", "py.typed")
"""The files of our packages."""
SHADOWS = ("service.py", "flask.py", "builder.py", "gunicorn.conf.py", "nachlass.py")
NOT_OURS = 'raise RuntimeError(f"{__file__} was imported by mistake")\n'
NOBODY = 54321
"""A user id without a passwd entry, as in containers on OpenShift."""
NO_HOME = "/dev/null/home"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    hatchling(PROJECT, "-t", "wheel", "-d", folder)
    return next(folder.glob("*.whl"))


def hatchling(project, *words):
    """Build the distributions of a project."""
    command = [sys.executable, "-m", "hatchling", "build", *words]
    subprocess.run(command, cwd=project, check=True, capture_output=True)


@pytest.fixture(scope="session")
def installed(wheel, pytestconfig):
    """Return the command `nachlass` of a virtual environment with the wheel.

    The environment is kept for later runs: it is rebuilt when the requirements change, and the
    wheel is reinstalled when its content changes.
    """
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        required = hashlib.sha256(archive.read(name) + sys.version.encode()).hexdigest()[:16]
    content = hashlib.sha256(wheel.read_bytes()).hexdigest()
    folder = pytestconfig.cache.mkdir("wheel")
    with FileLock(folder / "lock"):
        for other in folder.glob("venv-*"):
            if other.name != f"venv-{required}":
                shutil.rmtree(other)
        venv, state = folder / f"venv-{required}", folder / f"venv-{required}" / "holds"
        install = [sys.executable, PROJECT / "tests/install.py", venv, wheel]
        if not state.exists():
            made = [sys.executable, "-m", "venv", "--clear", "--without-pip", venv]
            subprocess.run(made, check=True)
            subprocess.run(install, check=True)
        elif state.read_text() != content:
            subprocess.run([*install, "--no-deps", "--reinstall-package", "nachlass"], check=True)
        state.write_text(content)
    return venv / "bin" / "nachlass"


@pytest.fixture
def run(environ):
    """Return a function that runs a program; None removes a variable."""

    def run(*words, environment=None):
        variables = {**environ, "PYTHONPATH": None, "VIRTUAL_ENV": None, **(environment or {})}
        return subprocess.run(
            list(map(str, words)),
            env={name: value for name, value in variables.items() if value is not None},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=900,
            check=False,
        )

    return run


@pytest.fixture
def read_only():
    """Yield a function that makes a folder read-only; it returns the words of a command inside."""
    changed = []

    def protect(folder):
        if os.geteuid() == 0:
            script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$0" && "$@"'
            return ["unshare", "-m", "sh", "-c", script, folder]
        for path in [folder, *folder.rglob("*")]:
            path.chmod(path.stat().st_mode & ~0o222)
            changed.append(path)
        return ["env", "-C", folder]

    yield protect
    for path in changed:
        path.chmod(path.stat().st_mode | 0o200)


def test_the_wheel_contains_every_module_and_page_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    builder, service = PROJECT / "builder", PROJECT / "service"
    files = [path for kind in KINDS for path in builder.rglob(kind)]
    modules = {path.relative_to(builder) for path in files}
    package = service / "nachlass_service"
    carried = [path for kind in KINDS for path in package.rglob(kind)]
    carried.append(service / "pyproject.toml")
    modules |= {Path("nachlass_builder/service") / path.relative_to(service) for path in carried}
    project = ["Containerfile", "pyproject.toml", "README.md", "LICENSE", "s2i/install-packages"]
    project += [f"s2i/bin/{path.name}" for path in (PROJECT / "s2i/bin").iterdir()]
    modules |= {Path("nachlass_builder/image_files") / name for name in project}
    assert names == {str(module) for module in modules}


def test_source_distributions_build_the_same_wheels(wheel, tmp_path):
    for project, made in ((PROJECT, wheel), (PROJECT / "service", None)):
        built = tmp_path / project.name
        hatchling(project, "-d", built / "dist")
        [archive] = (built / "dist").glob("*.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(built, filter="data")
        hatchling(built / archive.name.removesuffix(".tar.gz"), "-t", "wheel", "-d", built)
        [again], [direct] = built.glob("*.whl"), (built / "dist").glob("*.whl")
        assert again.read_bytes() == direct.read_bytes() == (made or direct).read_bytes()
        assert f"-{__version__}-" in again.name


def test_the_wheel_metadata_has_version_urls_and_license(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Version"] == __version__
    urls = dict(url.split(", ") for url in metadata.get_all("Project-URL"))
    assert {*urls} == {"Source", "Changelog", "Issues"}
    assert metadata["License-Expression"] == "Apache-2.0"


@pytest.fixture
def empty_home(tmp_path, environ):
    """Return the variables of a user with an empty home and this machine's indexes."""
    home = tmp_path / "home"
    home.mkdir()
    before = Path(environ.get("HOME") or "~").expanduser()
    inherited = {
        n: v for n, v in environ.items() if not n.startswith(("XDG_", "PIPX_", "UV_TOOL_"))
    }
    config = {"XDG_CONFIG_HOME": environ.get("XDG_CONFIG_HOME") or str(before / ".config")}
    variables = {**inherited, **config, "HOME": str(home)}
    indexes = IndexSettings.read(variables, None)
    path = os.pathsep.join([str(home / ".local/bin"), str(Path(sys.executable).parent)])
    return {
        **uv_environment(indexes),
        **variables,
        "PATH": f"{path}{os.pathsep}{inherited['PATH']}",
    }


@pytest.mark.only_all("it reinstalls every package")
@pytest.mark.parametrize(
    "words",
    [
        ("uv", "tool", "install", "--python", sys.executable),
        ("pipx", "install", "--python", sys.executable),
    ],
    ids=["uv", "pipx"],
)
def test_a_user_installs_the_wheel_as_a_tool(words, wheel, empty_home, run, tmp_path):
    done = run(*words, wheel, environment=empty_home)
    assert done.returncode == 0, done.stderr
    nachlass = Path(empty_home["HOME"]) / ".local/bin/nachlass"
    version = run(nachlass, "--version", environment=empty_home)
    assert version.stdout.startswith(f"nachlass {__version__} (Python "), version.stderr
    found = run(nachlass, "doctor", environment=empty_home)
    assert found.returncode == 0, found.stdout
    source = tmp_path / "kmeans"
    shutil.copytree(PROJECT / "examples/kmeans", source, ignore=NOT_IN_GIT)
    built = run(nachlass, "build", source, environment=empty_home)
    assert built.returncode == 0, built.stderr
    answer = run(nachlass, "predict", source, "[0.3, 0.7]", environment=empty_home)
    assert answer.stdout.strip() in map(str, range(7)), answer.stderr


@pytest.fixture
def source(tmp_path):
    text = "# %%\ndef predictor(x):\n    return sum(x)\n# %%\nsamples = [[1, 2], [3, 4]]"
    write_notebook(tmp_path / "sum" / "model.ipynb", text)
    return tmp_path / "sum"


@pytest.mark.needs("unshare", "apt-get install util-linux")
def test_a_read_only_source_is_built_into_the_cache(installed, run, read_only, cache, source):
    for shadow in SHADOWS:
        (source / shadow).write_text(NOT_OURS)
    before = sorted(source.rglob("*"))
    inside = read_only(source)
    assert run(*inside, "touch", "written").returncode, "the folder is writable"
    built = run(*inside, installed, "build", ".")
    assert built.returncode == 0, built.stderr
    bundle = Path(built.stdout.strip())
    assert bundle.parent.parent == cache / "bundles"
    try:
        answer = run(*inside, installed, "predict", ".", "[1, 2]")
        assert answer.returncode == 0, answer.stderr
        assert "unchanged" in answer.stderr
        assert answer.stdout == "3\n"
        assert run(installed, "predict", bundle, "[1, 2]").stdout == "3\n"
    finally:
        shutil.rmtree(bundle.parent)
    assert sorted(source.rglob("*")) == before


@pytest.mark.parametrize("home", [None, NO_HOME], ids=["no HOME", "an impossible HOME"])
def test_a_build_with_a_cache_folder_needs_no_home(home, installed, run, source):
    # uv, Jupyter and others could also find a home by these variables.
    lacking = dict.fromkeys(("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "USER"))
    environment = {**lacking, "HOME": home}
    built = run(installed, "build", source, environment=environment)
    assert built.returncode == 0, built.stderr
    answer = run(installed, "predict", source, "[1, 2]", environment=environment)
    assert answer.stdout == "3\n", answer.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.needs("setpriv", "apt-get install util-linux")
def test_a_user_without_a_passwd_entry_can_build(installed, run, source):
    # May read everything, because Python may be in a private folder; may write only its files.
    become = ["setpriv", f"--reuid={NOBODY}", "--regid=0", "--clear-groups"]
    become += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        shutil.copytree(source, Path(folder) / "sum")
        for path in (Path(folder), *Path(folder).rglob("*")):
            os.chown(path, NOBODY, 0)
        environment = {"HOME": "/", "USER": None, "LOGNAME": None, "TMPDIR": folder}
        environment |= dict.fromkeys(
            ("UV_CACHE_DIR", "XDG_CACHE_HOME")
        )  # they may belong to another user
        environment["S2I_CACHE_DIR"] = f"{folder}/cache"
        built = run(*become, installed, "build", f"{folder}/sum", environment=environment)
        assert built.returncode == 0, built.stderr
        words = (*become, installed, "predict", f"{folder}/sum", "[1, 2]")
        answer = run(*words, environment=environment)
        assert answer.stdout == "3\n", answer.stderr
        assert (Path(folder) / "cache" / "envs").stat().st_uid == NOBODY
        lost = {**environment, "HOME": None, "S2I_CACHE_DIR": None}
        rejected = run(*become, installed, "build", "--force", f"{folder}/sum", environment=lost)
        assert rejected.returncode == 3, rejected.stderr
        assert "set S2I_CACHE_DIR" in rejected.stderr
