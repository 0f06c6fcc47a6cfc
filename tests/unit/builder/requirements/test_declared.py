import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.notebook.notebook import Notebook, _parse_cell
from nachlass_builder.requirements.declared import parse_value, read_declared
from support.cells import notebook_of

HERE = Place("model.ipynb", 1, 1)


def notebook(text):
    node = notebook_of(text)
    sources = [cell.source for cell in node.cells if cell.cell_type == "code"]
    cells = tuple(_parse_cell(n, s, may_raise=False) for n, s in enumerate(sources, start=1))
    return Notebook("model.ipynb", node, cells)


def declared(*sources):
    return read_declared(notebook("".join(f"# %%\n{source}\n" for source in sources)))


def texts(*sources):
    return [requirement.text for requirement in declared(*sources).requirements]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([["numpy", "1.26"]], ["numpy==1.26"]),
        ([("numpy", "1.26"), ["scipy", "1.11.*"]], ["numpy==1.26", "scipy==1.11.*"]),
        ({"numpy": "1.26", "pandas": ">=2"}, ["numpy==1.26", "pandas>=2"]),
        (["numpy>=1.26", "pandas"], ["numpy>=1.26", "pandas"]),
        (["numpy", "1.26"], ["numpy==1.26"]),
        ([["numpy"]], ["numpy"]),
        ([["numpy", None], ["scipy", "latest"]], ["numpy", "scipy"]),
        ([["numpy", 1.26]], ["numpy==1.26"]),
        ("numpy==1.26\n# a comment\n\npandas  # why\n", ["numpy==1.26", "pandas"]),
        ([], []),
    ],
)
def test_every_form_is_read(value, expected):
    assert [requirement.text for requirement in parse_value(value, HERE)] == expected


@pytest.mark.parametrize(
    "value", [3, [3], [["numpy", True]], ["1.26", "2.0"], [["numpy", "1.26", "x"]], ["numpy=1.26"]]
)
def test_what_is_no_requirement_is_refused_with_its_place(value):
    with pytest.raises(RequirementsError) as caught:
        parse_value(value, HERE)
    assert caught.value.place == HERE
    assert "1.26" in str(caught.value.remedy)


def test_literals_are_followed_over_cells():
    cells = [
        'requirements = [["numpy", "2.0"]]',
        'requirements.append(["scipy", "1.14"])\nrequirements += [["pandas", "2.2"]]',
        'requirements.extend(["joblib"])',
    ]
    assert texts(*cells) == ["numpy==2.0", "scipy==1.14", "pandas==2.2", "joblib"]


def test_a_later_assignment_replaces():
    assert texts('requirements = ["numpy"]', 'requirements = ["scipy"]') == ["scipy"]


def test_names_of_literals_are_looked_up():
    assert texts('base = ["numpy"]', 'requirements = base + ["scipy"]') == ["numpy", "scipy"]


def test_a_name_that_changed_is_not_a_literal():
    cells = ['base = ["numpy"]', 'base.append("x")', 'requirements = base + ["scipy"]']
    assert [cell.number for cell in declared(*cells).computed_in] == [3]


@pytest.mark.parametrize(
    "cell",
    [
        'requirements = [line for line in open("r.txt")]',
        'requirements = ["numpy"]\nfor x in "ab":\n    requirements.append(x)',
        'requirements = ["numpy"]\nrequirements[0] = "scipy"',
        'if True:\n    requirements = ["numpy"]',
        "from versions import requirements",
        'requirements = [f"numpy=={V}"]',
        'requirements = ["numpy"]\nrequirements.append(chosen())',
    ],
)
def test_anything_else_is_computed(cell):
    assert [cell.number for cell in declared(cell).computed_in] == [1]


def test_reading_the_variable_changes_nothing():
    cells = [
        'requirements = ["numpy"]',
        "print(requirements)",
        "for n in requirements:\n    print(n)",
    ]
    assert texts(*cells) == ["numpy"]


def test_the_place_is_the_line_of_the_entry():
    found = declared('# a comment\nrequirements = ["numpy"]', '\nrequirements += ["scipy"]')
    assert [requirement.place.line for requirement in found.requirements] == [2, 1]
