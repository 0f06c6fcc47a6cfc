import os
import signal
import subprocess
import sys
import zipfile
from errno import EMLINK, EXDEV
from pathlib import Path

import pytest

from nachlass_builder.foundation.errors import NachlassError, TimeLimitError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.packages import bytecode
from nachlass_builder.packages.bytecode import Bytecode
from support.command import PYTHON
from support.wheels import make_wheel

pytestmark = pytest.mark.starts_programs

SHARING = """
def one(value):
    "What it does."
    return value in {"rare_word", "other_word"}

def two(value):
    return value in {"rare_word", "other_word"}
"""
"""The two functions share a constant unless Python has interned one of its words before."""
MEETING = "rare_word = other_word = 1\n"


@pytest.fixture
def make(tmp_path):
    """Return a function that creates a folder of packages from files by distribution."""

    def make(folder, **distributions):
        for name, files in distributions.items():
            wheel = make_wheel(tmp_path / "wheels", name, files=files)
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(tmp_path / folder)
        return tmp_path / folder

    return make


@pytest.fixture
def give(tmp_path):
    """Return a function that compiles a folder of packages and returns the files by path."""

    def give(site_packages, cache="cache", folder=None, deadline=None):
        bytecodes = Bytecode(tmp_path / cache)
        bytecodes.link_all(site_packages, Path(sys.executable), deadline or Deadline(), folder)
        root = folder or site_packages
        return {str(path.relative_to(root)): path for path in root.rglob("*.pyc")}

    return give


def beside(module):
    """Return the path of a module's bytecode beside its source."""
    path = Path(module)
    return f"{path.parent / '__pycache__' / path.name}.{sys.implementation.cache_tag}.pyc"


def contents(files):
    return {name: path.read_bytes() for name, path in files.items()}


def inodes(files):
    return {name: path.stat().st_ino for name, path in files.items()}


def test_bytecode_depends_only_on_its_distribution(make, give, monkeypatch):
    files = {"first/__init__.py": "", "first/a.py": SHARING}
    first = contents(give(make("short", first=files), "cache-1"))
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    others = {f"a{number}": {f"a{number}.py": MEETING + SHARING} for number in range(5)}
    among = contents(give(make("a/longer/path", **others, first=files), "cache-2"))
    assert first.keys() == {beside("first/__init__"), beside("first/a")}
    assert first.items() < among.items()


def test_bytecode_is_compiled_once(make, give, monkeypatch):
    first = inodes(give(make("1", alpha=None)))
    both = inodes(give(make("2", alpha=None, beta=None)))
    assert first.items() < both.items()
    monkeypatch.setattr(bytecode, "run", None)
    assert inodes(give(make("3", alpha=None, beta=None))) == both


def test_an_import_does_not_check_whether_the_source_has_changed(make, give):
    site_packages = make("site", alpha={"alpha.py": "print('compiled')"})
    give(site_packages)
    (site_packages / "alpha.py").write_text("print('the source')")
    command = [sys.executable, "-c", "import alpha"]
    completed = subprocess.run(
        command, cwd=site_packages, capture_output=True, text=True, check=True
    )
    assert completed.stdout == "compiled\n"


def test_different_sources_with_equal_records_have_different_bytecode(make, give):
    changed, unchanged = make("changed", alpha=None), make("unchanged", alpha=None)
    (changed / "alpha.py").write_text("VERSION = 'patched'\n")
    compiled = [contents(give(folder))[beside("alpha")] for folder in (unchanged, changed)]
    assert [b"patched" in content for content in compiled] == [False, True]


def test_a_large_distribution_is_compiled_completely(make, give, monkeypatch):
    monkeypatch.setattr(bytecode, "BATCH_SIZE", 2)
    files = {f"alpha/m{number}.py": SHARING for number in range(7)}
    assert len(give(make("site", alpha=files))) == len(files)


def test_only_recorded_modules_are_compiled(make, give, tmp_path):
    files = {
        "alpha/__init__.py": "",
        "alpha/python_2.py": "print 1\n",
        "alpha/warns.py": "'a' is 'b'\n",
        "alpha/nul.py": b"\0",
        "alpha/tests/test_alpha.py": "",
        "alpha/data.txt": "",
    }
    site_packages = make("tests/site", alpha=files, beta=None, gamma=None)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.py").touch()
    with next(site_packages.glob("alpha-*/RECORD")).open("a") as record:
        record.write(f"../../outside/a.py,,\n{outside}/a.py,,\nalpha/gone.py,,\n\n")
    next(site_packages.glob("beta-*/RECORD")).unlink()
    wanted = {beside("alpha/__init__"), beside("alpha/warns"), beside("gamma")}
    assert give(site_packages).keys() == wanted
    assert [path.name for path in outside.iterdir()] == ["a.py"]


def test_a_distribution_that_does_not_compile_is_harmless(make, give, monkeypatch):
    broken = {"alpha.py": "print 1\n"}
    assert give(make("1", alpha=broken)) == {}
    monkeypatch.setattr(bytecode, "run", None)
    assert give(make("2", alpha=broken)) == {}


def test_bytecode_of_a_wheel_is_replaced_and_not_overwritten(make, give, tmp_path):
    site_packages = make("site", alpha={beside("alpha"): b"elsewhere", "alpha.py": ""})
    in_the_cache_of_uv = tmp_path / "alpha.pyc"
    in_the_cache_of_uv.hardlink_to(site_packages / beside("alpha"))
    assert contents(give(site_packages))[beside("alpha")] != b"elsewhere"
    assert in_the_cache_of_uv.read_bytes() == b"elsewhere"


@pytest.mark.parametrize("number", [EMLINK, EXDEV])
def test_bytecode_is_copied_if_it_cannot_be_linked(make, give, monkeypatch, number):
    linked = give(make("1", alpha=None))

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "hardlink_to", fail)
    copied = give(make("2", alpha=None))
    assert contents(copied) == contents(linked)
    assert inodes(copied) != inodes(linked)


def test_bytecode_in_a_separate_folder_is_found_by_its_prefix(make, give, tmp_path):
    site_packages, prefix = make("site", alpha={"alpha/b.py": ""}), tmp_path / "prefix"
    give(site_packages, folder=prefix / site_packages.relative_to("/"))
    before = inodes({str(path): path for path in prefix.rglob("*.pyc")})
    assert len(before) == 1
    command = [sys.executable, "-S", "-c", "import alpha.b"]
    environ = {"PYTHONPYCACHEPREFIX": str(prefix), "PYTHONPATH": str(site_packages)}
    subprocess.run(command, env=environ, check=True)
    below = (prefix / site_packages.relative_to("/")).rglob("*.pyc")
    assert inodes({str(path): path for path in below}) == before
    assert not list(site_packages.rglob("*.pyc"))


KILLED = """
import json, os, signal, sys
from pathlib import Path
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.packages import bytecode

def run_and_die(*words, run=bytecode.run, stdin, **options):
    lists = [(folder, sources[:1]) for folder, sources in json.loads(stdin)]
    assert not run(*words, stdin=json.dumps(lists), **options).status
    os.kill(os.getpid(), signal.SIGKILL)

bytecode.run = run_and_die
bytecode.Bytecode(Path(sys.argv[1])).link_all(Path(sys.argv[2]), Path(sys.executable), Deadline())
"""


def test_a_partly_compiled_distribution_is_not_mistaken_for_a_complete_one(make, give, tmp_path):
    site_packages = make("site", alpha={"alpha/a.py": "", "alpha/b.py": ""})
    command = [PYTHON, "-c", KILLED, tmp_path / "cache", site_packages]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("cache/**/a.pyc"))) == 1
    assert give(site_packages).keys() == {beside("alpha/a"), beside("alpha/b")}


def test_deleted_bytecode_is_compiled_again(make, give, tmp_path):
    site_packages = make("first", alpha={"alpha/__init__.py": "", "alpha/a.py": "x = 1\n"})
    before = contents(give(site_packages))
    (kept,) = (tmp_path / "cache/bytecode").glob("*/alpha-*")
    for file in (kept / "alpha/a.pyc", kept / bytecode.IMPORTED_TESTS):
        file.unlink()
    again = make("again", alpha={"alpha/__init__.py": "", "alpha/a.py": "x = 1\n"})
    assert contents(give(again)) == before


def test_the_bytecode_of_a_faster_concurrent_build_is_kept(make, give, monkeypatch):
    faster, run = {}, bytecode.run

    def run_both(*words, **options):
        monkeypatch.setattr(bytecode, "run", run)
        faster.update(inodes(give(make("1", alpha=None))))
        return run(*words, **options)

    monkeypatch.setattr(bytecode, "run", run_both)
    assert inodes(give(make("2", alpha=None))) == faster


def test_a_build_that_times_out_leaves_no_files(make, give, tmp_path):
    with pytest.raises(TimeLimitError, match="while compiling the packages"):
        give(make("site", alpha=None), deadline=Deadline.after(0))
    assert not list(tmp_path.glob("cache/bytecode/*/*"))


def test_an_unreadable_source_is_not_mistaken_for_one_that_does_not_compile(
    make, give, tmp_path, monkeypatch
):
    def run_too_late(*words, cwd, run=bytecode.run, **options):
        (cwd / "alpha.py").unlink()
        return run(*words, cwd=cwd, **options)

    monkeypatch.setattr(bytecode, "run", run_too_late)
    with pytest.raises(NachlassError, match="cannot be compiled") as raised:
        give(make("site", alpha=None))
    assert "No such file or directory: 'alpha.py'" in raised.value.details
    assert not list(tmp_path.glob("cache/bytecode/*/*"))
