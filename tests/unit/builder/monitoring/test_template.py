"""Rules and panels are YAML files with placeholders in angle brackets."""

import re

import pytest
import yaml

from nachlass_builder.monitoring import template
from nachlass_builder.monitoring.template import fill_in


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Return a function that writes a file to the template folder."""
    monkeypatch.setattr(template, "__file__", str(tmp_path / "template.py"))
    return (tmp_path / "file.yml").write_text


def test_values_and_expressions_are_filled_in(written):
    written("""
expressions:
  asked: sum(<prefix>_asked)
  share: <failed> / <asked>
rules:
  - {expr: "<share> < 1 and <asked> > 0", for: 3}
""")
    rule = {"expr": "f / sum(n_asked) < 1 and sum(n_asked) > 0", "for": 3}
    assert fill_in("file.yml", {"prefix": "n", "failed": "f"}) == {"rules": [rule]}


@pytest.mark.parametrize("text", ["rule: <below>", "rule: <unknown>", "rule: <expressions>"])
def test_an_undefined_name_is_an_error(written, text):
    written(f"expressions: {{}}\n{text}")
    with pytest.raises(KeyError, match=re.search("<(.*)>", text)[1]):
        fill_in("file.yml", {})


def test_an_expression_can_only_use_those_above_it(written):
    written("expressions: {first: <second>, second: x}")
    with pytest.raises(KeyError, match="second"):
        fill_in("file.yml", {})


def test_other_values_are_unchanged(written):
    written("expressions: {}\nrule: [1, 2.5, true, null]")
    assert fill_in("file.yml", {}) == {"rule": [1, 2.5, True, None]}


@pytest.mark.parametrize("file", ["rules.yml", "dashboard.yml"])
def test_every_expression_is_used(file):
    text = template.Path(template.__file__).with_name(file).read_text()
    defined = yaml.safe_load(text)["expressions"]
    assert [name for name in defined if f"<{name}>" not in text] == []
