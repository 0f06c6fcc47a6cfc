"""The output of the command for an unexpected error."""

import errno

import click
import pytest
from click.testing import CliRunner

from nachlass_builder.foundation.console import Group


def failing(error):
    @click.group(cls=Group)
    def main():
        pass

    @main.command()
    def work():
        raise error

    return CliRunner().invoke(main, ["work"])


def test_a_bug_report_ends_with_a_remedy():
    ended = failing(KeyError("https://me:hunter22@example.org"))
    assert ended.exit_code == 1
    first, *between, last = ended.stderr.splitlines()
    assert first.startswith("error: this is a bug in nachlass: KeyError: ")
    assert any("test_console.py" in line for line in between)
    assert last == "help: report it and include the lines above"
    assert "hunter22" not in ended.stderr


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_not_a_bug(number):
    ended = failing(OSError(number, "No room", "/a/b"))
    assert ended.exit_code == 15
    assert "the disk is full" in ended.stderr
    assert "'/a/b'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_other_system_errors_are_bugs():
    ended = failing(OSError(errno.EIO, "Input/output error", "/a/b"))
    assert ended.exit_code == 1
    assert "a bug in nachlass" in ended.stderr


@pytest.mark.parametrize(("error", "code"), [(click.UsageError("no"), 2), (SystemExit(7), 7)])
def test_the_exit_codes_of_click_are_kept(error, code):
    assert failing(error).exit_code == code
