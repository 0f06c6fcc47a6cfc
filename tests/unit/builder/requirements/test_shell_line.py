"""A shell line is split into commands, and pip gets the same arguments as from a shell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nachlass_builder.requirements.shell_line import commands_of, without_heredocs

PIP = ["pip", "install", "six"]
AND_ATTRS = [PIP, ["pip", "install", "attrs"]]


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("pip install six", [PIP]),
        ("  pip\tinstall   six  ", [PIP]),
        ("pip install six;pip install attrs", AND_ATTRS),
        ("pip install six && pip install attrs", AND_ATTRS),
        ("(pip install six; pip install attrs)", AND_ATTRS),
        ("pip install six || pip install attrs &", AND_ATTRS),
        ("if true; then pip install six; fi", [["true"], PIP, ["fi"]]),
        ("yes|pip install six|tail -n 1", [["yes"], PIP, ["tail", "-n", "1"]]),
        ("cd x&&pip install six", [["cd", "x"], PIP]),
        *(
            (f"{before} pip install six", [PIP])
            for before in (
                "sudo",
                "sudo -H",
                "sudo -u me",
                "env A=1",
                "A=1 B='2 3'",
                "time",
                "nohup",
            )
        ),
        *(
            (f"pip install six{rest}", [PIP])
            for rest in (
                *(
                    ">/dev/null",
                    " > log",
                    " 2>/dev/null",
                    " 2>&1",
                    "&>/dev/null",
                    " >& log",
                    ">log.txt",
                ),
                *(" 1>/dev/null 2>&1", " >> ~/log", " < in", " # it's done", ">./log", " &> all"),
            )
        ),
        ("pip install six>/dev/null attrs", [["pip", "install", "six", "attrs"]]),
        ("pip install six> log attrs", [["pip", "install", "six", "attrs"]]),
        (
            "pip install 'six>1' six>1 six<2 six>=1,<2",
            [["pip", "install", "six>1", "six>1", "six<2", "six>=1,<2"]],
        ),
        ("pip install six'>='1 \"a;b\" c\\;d", [["pip", "install", "six>=1", "a;b", "c;d"]]),
        ("pip install '>/dev/null'", [["pip", "install", ">/dev/null"]]),
        ("pip install git+https://a/b#egg=b", [["pip", "install", "git+https://a/b#egg=b"]]),
        ('echo "a \\" b \\\\ \\n" \'\\\'', [["echo", 'a " b \\ \\n', "\\"]]),
        ("", []),
        (" ; & ", []),
        ("# pip install six", []),
    ],
)
def test_a_line_is_split_as_by_a_shell(line, commands):
    assert [command for command in commands_of(line) if command] == commands


@pytest.mark.parametrize("line", ["pip 'install", 'pip "install', "a 'b\" c"])
def test_an_unclosed_quote_is_an_error(line):
    with pytest.raises(ValueError, match="No closing quotation"):
        list(commands_of(line))


@given(st.text(st.sampled_from("ab '\"\\;&|><()#$=1/\n.\t"), max_size=30))
def test_any_line_is_split_or_rejected(line):
    try:
        words = [word for command in commands_of(line) for word in command]
    except ValueError:
        return
    assert all(len(word) <= len(line) for word in words)


def test_here_documents_are_not_commands():
    before, inside, between = ["cat <<EOF > a"], ["pip install no", "EOF"], ["pip install six"]
    lines = [*before, *inside, *between, "cat <<-'X'", "pip install no", " X", "ls"]
    assert [line for line in without_heredocs(lines) if line] == [
        *before,
        *between,
        "cat <<-'X'",
        "ls",
    ]
