"""Runs in separate processes, because hiding modules cannot be undone."""

import json
import sys
import zipfile

import pytest

from support.forked import in_child
from support.wheels import make_wheel

HEAD = """
import early
from importlib import import_module, util, metadata
from nachlass_service.proof.import_blocker import Blocker

blocker = Blocker(hidden)
blocker.install()

def fails(work):
    try:
        work()
    except ImportError as error:
        return error.name
"""

HIDDEN = {
    "early": ["early"],
    "Pkg": ["pkg"],
    "part": ["ns.part"],
    "blobs": ["ns.blobs.lib"],
    "plug-in": ["plug_in"],
}


@pytest.fixture
def run(tmp_path):
    """Return a function that runs lines with hidden wheels: `answer` and `blocked_imports`."""
    wheels = (
        {"name": "early"},
        {"name": "pkg", "files": {"pkg/__init__.py": "", "pkg/inner.py": ""}},
        {"name": "part", "files": {"ns/part/__init__.py": ""}},
        {"name": "blobs", "files": {"ns/blobs/lib/blob.so.2": ""}},
        {"name": "other", "files": {"ns/other.py": ""}},
        {"name": "plug-in", "entry_points": "[group]\nname = plug_in\n"},
        {"name": "shown", "entry_points": "[group]\nmine = shown\n[else]\na = shown\n"},
    )
    for wheel in wheels:
        with zipfile.ZipFile(make_wheel(tmp_path / "wheels", **wheel)) as archive:
            archive.extractall(tmp_path / "site")
    hidden = {name.lower(): modules for name, modules in HIDDEN.items()}

    def run(lines):
        def work():
            sys.path.insert(0, str(tmp_path / "site"))
            names = {"hidden": hidden}
            exec(f"{HEAD}\n{lines}", names)
            blocked = sorted(names["blocker"].blocked_imports)
            (tmp_path / "answer.json").write_text(json.dumps([names["answer"], blocked]))

        in_child(work)
        return json.loads((tmp_path / "answer.json").read_text())

    return run


def test_hidden_modules_are_not_found(run):
    lines = "answer = [fails(lambda: import_module(name)) for name in ('pkg', 'pkg.inner')]"
    assert run(lines) == [["pkg", "pkg"], ["pkg"]]


def test_a_hidden_module_that_was_already_imported_is_removed(run):
    assert run("answer = fails(lambda: import_module('early'))") == ["early", ["early"]]


def test_find_spec_does_not_find_hidden_modules(run):
    assert run("answer = util.find_spec('pkg')") == [None, ["pkg"]]


def test_a_namespace_keeps_its_other_parts(run):
    lines = "import ns.other\nanswer = fails(lambda: import_module('ns.part'))"
    assert run(lines) == ["ns.part", ["part"]]


def test_a_folder_without_modules_is_hidden(run):
    lines = "answer = fails(lambda: exec('from ns.blobs import lib'))"
    assert run(lines) == ["ns.blobs", ["blobs"]]


def test_a_hidden_version_is_not_found(run):
    lines = "answer = [fails(lambda: metadata.version('Plug_in')), metadata.version('shown')]"
    assert run(lines) == [["Plug_in", "1.0"], ["plug-in"]]


def test_hidden_plugins_are_not_listed_and_only_their_group_is_recorded(run):
    lines = "answer = [[e.name for e in metadata.entry_points(group=g)] for g in ('{}', 'else')]"
    assert run(lines.format("else")) == [[["a"], ["a"]], []]
    assert run(lines.format("group")) == [[["mine"], ["a"]], ["plug-in"]]
