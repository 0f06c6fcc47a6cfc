"""Line numbers in project files that their parsers do not provide."""

import pytest
import yaml

from nachlass_builder.requirements.line_numbers import YamlLines, toml_place

PROJECT = """\
# requires-python and dependencies come below: "numpy"
[build-system]
requires = ["numpy", "setuptools"]

[ project ]  # ours
name = "numpy-tools"
requires-python = ">=3.11"
# dependencies = ["six"]
dependencies = [
    # "numpy",
    "numpy",  # "six"
    'scipy', "six>=1",
]
"optional-dependencies".dev = ["pytest"]

[[tool.other]]
dependencies = ["pytest"]
[tool . "uv" . sources]
six = { path = "six" }
"""


@pytest.mark.parametrize(
    ("table", "key", "value", "line"),
    [
        ("build-system", "requires", "numpy", 3),
        ("project", "dependencies", None, 9),
        ("project", "dependencies", "numpy", 11),
        ("project", "dependencies", "scipy", 12),
        ("project", "dependencies", "six>=1", 12),
        ("project", "requires-python", None, 7),
        ("project", "optional-dependencies", "pytest", 14),
        ("project", "dependencies", "attrs", None),
        ("project", "depend", None, None),
        ("tool.uv.sources", "six", None, 19),
        ("tool.other", "dependencies", "pytest", 17),
        ("tool.uv", "sources", None, None),
        ("", "project", None, None),
    ],
)
def test_keys_and_values_of_toml_are_located(table, key, value, line):
    place = toml_place("pyproject.toml", PROJECT, table, key, value)
    assert (place.file, place.line) == ("pyproject.toml", line)


def test_keys_before_the_first_table_are_located():
    assert toml_place("p.toml", "a = 1\nproject = 5\n", "", "project").line == 2


ENVIRONMENT = """\
# six, and dependencies
name: six
dependencies:
  - python=3.11
  - six
  -
    pip:
    - six  # again
    - &numpy numpy
    - *numpy
variables: {A: b}
name: again
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("dependencies",), 3),
        (("dependencies", 0), 4),
        (("dependencies", 1), 5),
        (("dependencies", 2), 7),
        (("dependencies", 2, "pip"), 7),
        (("dependencies", 2, "pip", 0), 8),
        (("dependencies", 2, "pip", 1), 9),
        (("dependencies", 2, "pip", 2), 9),
        (("variables", "A"), 11),
        (("name",), 12),
        (("dependencies", 7), None),
        (("dependencies", "pip"), None),
        (("channels",), None),
        (("name", 0), None),
    ],
)
def test_keys_and_entries_of_yaml_are_located(path, line):
    place = YamlLines("environment.yml", ENVIRONMENT).place(*path)
    assert (place.file, place.line) == ("environment.yml", line)


@pytest.mark.parametrize("text", ["", "- a", "5"])
def test_yaml_without_a_mapping_has_no_keys(text):
    assert YamlLines("environment.yml", text).place("dependencies").line is None


def test_invalid_yaml_is_rejected():
    with pytest.raises(yaml.YAMLError):
        YamlLines("environment.yml", "a: [b")
