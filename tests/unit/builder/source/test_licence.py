"""The licence of a source, read from machine-readable files."""

import pytest

from nachlass_builder.source.licence import licence_of


@pytest.mark.parametrize(
    ("name", "text", "licence"),
    [
        ("pyproject.toml", '[project]\nlicense = "MIT"\n', "MIT"),
        ("pyproject.toml", '[project]\nlicense = "apache-2.0"\n', "Apache-2.0"),
        ("pyproject.toml", '[project]\nlicense = "MIT OR Apache-2.0"\n', "MIT OR Apache-2.0"),
        ("pyproject.toml", '[project]\nlicense = {text = "MIT"}\n', "MIT"),
        ("pyproject.toml", '[project]\nlicense = {file = "LICENSE"}\n', None),
        ("pyproject.toml", '[project]\nlicense = "All rights reserved"\n', None),
        ("pyproject.toml", "[project]\nlicense = 1\n", None),
        ("pyproject.toml", 'project = "x"\n', None),
        ("pyproject.toml", "no [toml", None),
        ("CITATION.cff", "license: BSD-3-Clause\n", "BSD-3-Clause"),
        ("CITATION.cff", "license: [MIT, Apache-2.0]\n", "MIT OR Apache-2.0"),
        ("CITATION.cff", "license: [1\n", None),
        ("CITATION.cff", "- license\n", None),
        ("LICENSE", "MIT License", None),
    ],
)
def test_only_a_declared_licence_counts(tmp_path, name, text, licence):
    (tmp_path / name).write_text(text)
    assert licence_of(tmp_path) == licence


def test_a_damaged_file_is_ignored(tmp_path):
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")
    (tmp_path / "CITATION.cff").write_text("license: MIT\n")
    assert licence_of(tmp_path) == "MIT"
