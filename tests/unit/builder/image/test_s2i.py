"""The parts of assemble that need no image; tests/image runs all of it."""

import os
import subprocess

import pytest

from nachlass_builder.foundation.errors import ExecutionError, SourceError
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image import s2i
from nachlass_builder.image.hooks import HOOKS, PRE_RUN, keep_pre_run, run_hook
from nachlass_builder.image.injected import injected_environment
from support.project import PROJECT

WITHOUT_FILES = {"GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"}


def test_variables_name_the_injected_files(tmp_path):
    names = ("pip.conf", "constraints.txt", ".netrc", "ca.crt")
    for name in (*names, "id_ed25519", "id_ed25519.pub", "known_hosts"):
        (tmp_path / name).write_text("x")
    variables = injected_environment(tmp_path)
    assert variables["PIP_CONFIG_FILE"] == str(tmp_path / "pip.conf")
    assert variables["PIP_CONSTRAINT"] == str(tmp_path / "constraints.txt")
    assert variables["NETRC"] == str(tmp_path / ".netrc")
    assert variables["SSL_CERT_FILE"] == variables["GIT_SSL_CAINFO"] == str(tmp_path / "ca.crt")
    assert f"-i {tmp_path}/id_ed25519 " in variables["GIT_SSH_COMMAND"]
    assert ".pub" not in variables["GIT_SSH_COMMAND"]
    assert "StrictHostKeyChecking=yes" in variables["GIT_SSH_COMMAND"]


def test_files_emptied_by_s2i_count_as_missing(tmp_path):
    for name in ("pip.conf", ".netrc", "ca.crt", "id_rsa"):
        (tmp_path / name).touch()
    assert set(injected_environment(tmp_path)) == WITHOUT_FILES


def test_secrets_in_variables_cause_a_warning(monkeypatch, capsys):
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in {
        "PIP_INDEX_URL": "https://me:hunter22@example.org/simple",
        "PIP_EXTRA_INDEX_URL": "https://example.org/simple",
        "API_TOKEN": "hunter22",
        "GPG_KEY": "A035C8C19219BA821ECEA86B64E628F8D684696D",
        "PUBLIC_KEY": "hunter22",
        "S2I_SHIP": "PUBLIC_KEY",
        "BUCKETS": "10",
    }.items():
        monkeypatch.setenv(name, value)
    s2i._warn_about_credentials(Progress())
    output = capsys.readouterr().err
    assert [line.split()[1] for line in output.splitlines()] == ["API_TOKEN", "PIP_INDEX_URL"]
    assert "API_TOKEN looks like a secret, and stays in the configuration and history" in output
    assert "mount a file at /tmp/injected" in output
    assert "hunter22" not in output


def test_a_flag_is_true_or_false(monkeypatch):
    for value, means in (("1", True), ("'1'", True), ("0", False), ("", False)):
        monkeypatch.setenv("S2I_KEEP_ARTIFACTS", value)
        assert s2i._keeps_artifacts() is means
    monkeypatch.setenv("S2I_KEEP_ARTIFACTS", "false")
    with pytest.raises(SourceError, match="S2I_KEEP_ARTIFACTS is 'false'"):
        s2i._keeps_artifacts()


def test_a_mounted_cache_is_used_if_it_can_be_written(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.delenv("PIP_CACHE_DIR", raising=False)
    assert s2i._mounted_cache(Progress()) is None
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path))
    assert s2i._mounted_cache(Progress()) == tmp_path / "uv"
    monkeypatch.setenv("UV_CACHE_DIR", "/proc/no/such/folder")
    assert s2i._mounted_cache(Progress()) == tmp_path / "uv"
    assert "is not writable" in capsys.readouterr().err
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    assert s2i._mounted_cache(Progress()) == tmp_path


@pytest.fixture
def source(tmp_path):
    (tmp_path / HOOKS).mkdir(parents=True)
    return tmp_path


def test_a_hook_runs_in_the_source(source):
    (source / HOOKS / "pre_assemble").write_text("pwd > here\n")
    run_hook(source, "pre_assemble", Progress())
    assert (source / "here").read_text().strip() == str(source)
    run_hook(source, "post_assemble", Progress())  # this hook does not exist


def test_the_hook_of_another_source_is_not_kept(source, tmp_path):
    (source / HOOKS / PRE_RUN).write_text("export X=1\n")
    keep_pre_run(source, tmp_path, Progress())
    assert (tmp_path / PRE_RUN).read_text() == "export X=1\n"
    keep_pre_run(tmp_path / "other", tmp_path, Progress())
    assert not (tmp_path / PRE_RUN).exists()


def test_a_token_in_the_kept_hook_is_reported(source, tmp_path, capsys):
    token = "gh" + "p_" + "0123456789abcdefghijABCDEFGHIJ012345"
    (source / HOOKS / PRE_RUN).write_text(f"export A=1\nexport TOKEN={token}\n")
    keep_pre_run(source, tmp_path, Progress())
    output = capsys.readouterr().err
    assert f"{HOOKS / PRE_RUN}, line 2: this looks like a GitHub token" in output
    assert token not in output


def test_a_failing_hook_ends_the_build(source):
    hook = source / HOOKS / "post_assemble"
    hook.write_text("#!/bin/bash\nexit 7\n")
    hook.chmod(0o755)
    with pytest.raises(ExecutionError, match="post_assemble exited with 7"):
        run_hook(source, "post_assemble", Progress())


def packages_asked_for(tmp_path, words, programs):
    """Return the arguments of the package manager in `install-packages`, with only `programs`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    commands = tmp_path / "asked"
    subprocess.run(
        ["/bin/sh", PROJECT / "s2i/install-packages", *words],
        env={**os.environ, "PATH": str(folder), "ASKED": str(commands)},
        check=True,
    )
    return commands.read_text().splitlines() if commands.exists() else []


NOTES = 'echo "$@" >> "$ASKED"'


def test_a_base_with_dnf_gets_a_newer_python(tmp_path):
    programs = {"microdnf": NOTES, "python3": "exit 1"}
    commands = packages_asked_for(tmp_path, ["python"], programs)
    assert commands[0].startswith("install -y ")
    assert commands[0].endswith(" ca-certificates python3.12 tar")
    assert commands[1:] == ["clean all"]


def test_a_base_with_dnf_gets_the_packages_for_a_build(tmp_path):
    programs = {"dnf": NOTES, "python3": "exit 1", "python3.12": 'test "$2" != "import ensurepip"'}
    commands = packages_asked_for(tmp_path, ["build"], programs)
    assert commands[0].endswith(" git-core openssh-clients tar findutils python3.12-pip")


def test_a_base_with_a_new_python_keeps_it(tmp_path):
    assert packages_asked_for(tmp_path, ["python"], {"microdnf": NOTES, "python3": "exit 0"}) == []


LISTED = """\
case "$3" in zlib1g) echo installed=1:1.3 ;; old) echo config-files=1 ;; *) exit 1 ;; esac
"""


def listed(tmp_path, *packages, **programs):
    (tmp_path / "packages").write_text("".join(f"{package}\n" for package in packages))
    programs = {"dpkg-query": LISTED, "rm": "", **programs}
    return packages_asked_for(tmp_path, ["listed", tmp_path / "packages"], programs)


def test_only_missing_packages_of_a_list_are_installed(tmp_path):
    names = ("zlib1g", "zlib1g=1:1.3", "old", "zlib1g=1:1.2", "unixodbc=2.3.12-2")
    commands = listed(tmp_path, *names, **{"apt-get": NOTES})
    assert commands[0].startswith("update --quiet")
    assert commands[1].endswith(" --no-install-recommends old zlib1g=1:1.2 unixodbc=2.3.12-2")


def test_nothing_is_fetched_if_every_package_is_installed(tmp_path):
    assert listed(tmp_path, "zlib1g", **{"apt-get": NOTES}) == []


def test_a_base_without_apt_rejects_debian_packages(tmp_path, capfd):
    with pytest.raises(subprocess.CalledProcessError):
        listed(tmp_path, "unixodbc", microdnf=NOTES)
    assert "unixodbc is a Debian package, and this base has no apt" in capfd.readouterr().err
