"""`nachlass completion`: bash completes commands, options and files with its script."""

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
    """Return a function that lists bash's completions of the last word."""
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


def test_commands_and_options_are_completed(complete):
    assert complete("b") == ["build"]
    assert complete("build", "--fo") == ["--force"]
    assert complete("diff", "--format", "j") == ["json"]
    assert complete("cache", "pr") == ["prune"]
    assert complete("completion", "") == ["bash", "zsh", "fish"]


def test_file_names_are_completed_by_the_shell(complete):
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
def test_every_supported_shell_has_a_script(nachlass, shell, sign):
    assert sign in nachlass("completion", shell).stdout


def test_an_unsupported_shell_is_rejected(nachlass):
    rejected = nachlass("completion", "cmd")
    assert rejected.returncode == 2
    assert "'cmd' is not one of 'bash', 'zsh', 'fish'" in rejected.stderr
