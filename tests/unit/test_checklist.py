"""The checklist of s2i builders is complete and names existing tests."""

import re

import pytest

from support.project import PROJECT

CHECKLIST = PROJECT / "docs/reference/s2i-checklist.md"
LINES = CHECKLIST.read_text(encoding="utf-8").splitlines()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in LINES
    if re.match(r"\| \d+ \|", line)
]
STATE = re.compile(r"yes( \(.+\))?|(partly|no|does not apply): .+")
TEST = re.compile(r"`([\w/.-]+\.py)::(\w+)`")


def test_every_row_is_listed_once():
    assert [row[0] for row in ROWS] == [str(number) for number in range(1, 42)]
    assert all(len(row) == 4 and all(row) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_has_a_state_and_existing_tests(row):
    _number, _asked, state, shown = row
    assert STATE.fullmatch(state)
    tests = TEST.findall(shown)
    assert tests or re.match(r"not tested: .+", shown)
    assert shown.count("::") == len(tests)
    for path, name in tests:
        text = (PROJECT / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{path}::{name}"
