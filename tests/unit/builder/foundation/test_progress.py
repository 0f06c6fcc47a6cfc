"""The progress output of build steps."""

import re

from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.size import size_of


def test_a_step_reports_its_duration(capsys):
    with Progress().step("waiting"):
        pass
    assert re.fullmatch(r"---> 1. waiting\n     \d+\.\d s\n", capsys.readouterr().err)


def test_a_step_reports_the_size_of_its_result(capsys, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/file").write_bytes(b"x" * 1_500_000)
    (tmp_path / "linked").hardlink_to(tmp_path / "sub/file")
    (tmp_path / "link").symlink_to("linked")
    with Progress().step("writing") as step:
        step.made = tmp_path
    assert re.search(r"     \d+\.\d s, 1\.5 MB\n", capsys.readouterr().err)
    assert size_of(tmp_path) == 1_500_000 + len("linked")
    assert size_of(tmp_path / "absent") == 0
