"""`nachlass completion`: bash, with the script, completes commands, options and files."""

import subprocess

import pytest

from support.command import NACHLASS

COMPLETE = """
set -eu
source ./script
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
compopt() { printf '<%s>\\n' "$2"; }
_nachlass_completion "$1" "${COMP_WORDS[COMP_CWORD]}" ""
printf '%s\\n' "${COMPREPLY[@]-}"
"""


@pytest.fixture
def complete(tmp_path, environ, nachlass):
    """What bash proposes for the last of some words, in a folder with the script."""
    script = nachlass("completion", "bash")
    assert script.returncode == 0, script.stderr
    (tmp_path / "script").write_text(script.stdout)

    def complete(*words):
        done = subprocess.run(
            ["bash", "-c", COMPLETE, "bash", NACHLASS, *words],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return complete


def test_commands_and_options(complete):
    assert complete("b") == ["build"]
    assert complete("build", "--fo") == ["--force"]
    assert complete("diff", "--format", "j") == ["json"]
    assert complete("cache", "pr") == ["prune"]
    assert complete("completion", "") == ["bash", "zsh", "fish"]


def test_files_are_left_to_the_shell(complete):
    commands = ("build", "check", "serve", "predict", "image", "monitoring", "openapi")
    for words in (*((name,) for name in commands), ("diff", "old"), ("build", "x", "-o")):
        assert complete(*words, "mod") == ["<default>"], words
    assert complete("build", ".", "--context-dir", "mod") == ["<dirnames>"]


@pytest.mark.parametrize(
    ("shell", "sign"),
    [
        ("bash", "complete -o nosort -F _nachlass_completion nachlass"),
        ("zsh", "#compdef nachlass"),
        ("fish", "complete --no-files --command nachlass"),
    ],
)
def test_the_script_of_a_shell(nachlass, shell, sign):
    assert sign in nachlass("completion", shell).stdout


def test_another_shell(nachlass):
    refused = nachlass("completion", "cmd")
    assert refused.returncode == 2
    assert "'cmd' is not one of 'bash', 'zsh', 'fish'" in refused.stderr
