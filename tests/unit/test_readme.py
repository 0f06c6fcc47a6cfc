"""The README's tables are true: compared with the code they describe."""

import re

from nachlass_builder.cli.diff import DIFFERS
from nachlass_builder.foundation.console import INTERRUPTED
from nachlass_builder.foundation.errors import KINDS
from nachlass_builder.foundation.settings import VARIABLES as BUILDER
from nachlass_service.base.settings import VARIABLES as SERVICE
from support.project import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def rows(heading):
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_table_of_variables():
    assert [row for row in rows("Variables") if row[0].startswith("`")] == [
        [
            f"`{variable.name}`",
            f"`{variable.default}`"
            if variable.default.isidentifier() or "." in variable.default
            else variable.default,
            variable.meaning,
        ]
        for variable in (*BUILDER, *SERVICE)
    ]


def test_the_table_of_exit_codes():
    documented = {int(row[0]): row[1] for row in rows("Commands") if row[0].isdigit()}
    expected = {kind.exit_code: kind.kind for kind in KINDS}
    assert documented == {
        0: "done",
        2: "the command line is wrong",
        DIFFERS: "the two bundles differ (`nachlass diff --exit-code`)",
        INTERRUPTED: "interrupted",
        **expected,
    }
