"""Splits a shell's line into its commands, as far as it takes to see what pip is given.

Quotes, comments, operators and redirections are those of POSIX's shell; nothing is expanded.
An angle bracket within a word is a redirection only where what follows looks like a file:
`numpy>=2` and `numpy<2` are requirements, whatever a shell would make of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

OPERATORS = re.compile(r"&&|\|\||;;|\|&|[;&|()\n]")
FILE = r"(?:[/~$&]|\.{1,2}/).*|[\w.-]*\.(?:log|txt|out|err)"
REDIRECTION = re.compile(rf"(?P<word>.*?)(?:&>>?|>>?|<<?<?)(?P<target>{FILE}|&?)")
"""A word that ends with a redirection; without a target, that is the next word."""
NO_FILE = re.compile(r"\d*(?:[<>]|&>)")
"""How a word begins that is a redirection alone, whatever follows."""
HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time"})
BEFORE = {
    "sudo": frozenset({"-u", "-g", "-U"}),
    "env": frozenset({"-u"}),
    "nohup": frozenset(),
    "exec": frozenset(),
    "command": frozenset(),
    "nice": frozenset({"-n"}),
}
"""Programs that run another, with those of their options that take a value."""
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


def commands_of(line: str) -> Iterator[list[str]]:
    """The commands of a line, each as its words.

    Raises ValueError for a quote without its end, after the commands before it.
    """
    words: list[str] = []
    for word, is_operator in _tokens(line):
        if is_operator:
            yield _program_of(words)
            words = []
        else:
            words.append(word)
    yield _program_of(words)


def without_heredocs(lines: list[str]) -> list[str]:
    """Lines of a script, those of its here-documents empty."""
    kept, end = [], None
    for line in lines:
        if end is not None:
            end = None if line.strip() == end else end
            kept.append("")
            continue
        kept.append(line)
        if found := HEREDOC.search(line):
            end = found[2]
    return kept


def _tokens(line: str) -> Iterator[tuple[str, bool]]:
    """Words without their quotes, and operators; redirections and comments are left out."""
    position, skips_next = 0, False
    while position < len(line):
        if line[position] in " \t\r":
            position += 1
        elif line[position] == "#":
            return
        elif found := _operator_at(line, position, ""):
            yield found, True
            position, skips_next = position + len(found), False
        else:
            word, is_quoted, position = _word_at(line, position)
            if skips_next:
                skips_next = False
            elif not is_quoted and NO_FILE.match(word):
                skips_next = word.removesuffix("&").endswith((">", "<"))
            elif not is_quoted and (redirected := REDIRECTION.fullmatch(word)):
                skips_next = redirected["target"] in ("", "&")
                yield redirected["word"], False
            else:
                yield word, False


def _operator_at(line: str, position: int, word: str) -> str:
    """The operator that follows a word, if any: `&>` and `>&` are of redirections."""
    found = OPERATORS.match(line, position)
    if not found or line.startswith("&>", position):
        return ""
    return "" if line[position] == "&" and word.endswith((">", "<")) else found[0]


def _word_at(line: str, position: int) -> tuple[str, bool, int]:
    """The word at a position, whether it ends with a quote, and where it ends."""
    word, is_quoted = "", False
    while position < len(line):
        letter = line[position]
        if letter in " \t\r" or _operator_at(line, position, word):
            break
        position += 1
        is_quoted = letter in "'\""
        if letter == "\\":
            word += line[position : position + 1]
            position += 1
        elif is_quoted:
            inside, position = _until_quote(line, position, letter)
            word += inside
        else:
            word += letter
    return word, is_quoted, position


def _until_quote(line: str, position: int, quote: str) -> tuple[str, int]:
    """What is inside of quotes, and where they end."""
    inside = ""
    while position < len(line):
        letter = line[position]
        position += 1
        if letter == quote:
            return inside, position
        if letter == "\\" and quote == '"' and line[position : position + 1] in '"\\$`':
            letter = line[position : position + 1]
            position += 1
        inside += letter
    raise ValueError("No closing quotation")


def _program_of(words: list[str]) -> list[str]:
    """A command from its program on, without what only comes before it."""
    options: frozenset[str] | None = None
    while words:
        first = words[0]
        if first in BEFORE:
            options = BEFORE[first]
        elif options is not None and first.startswith("-"):
            words = words[1:] if first in options else words
        elif not (first in KEYWORDS or ASSIGNMENT.fullmatch(first)):
            break
        words = words[1:]
    return words
