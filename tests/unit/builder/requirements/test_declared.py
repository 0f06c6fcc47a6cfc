import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.notebook.bindings import names_changed
from nachlass_builder.notebook.notebook import Notebook, _parse_cell
from nachlass_builder.requirements.declared import FORMS, Declared, parse_value, read_declared
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
        ([["numpy", None], ["scipy", "Latest"]], ["numpy", "scipy"]),
        ([["numpy", "*"], ["scipy", " "]], ["numpy", "scipy"]),
        ([["numpy", "<2"], ["scipy", "==1"]], ["numpy<2", "scipy==1"]),
        ([["numpy", "!=2"], ["scipy", "~=1.1"]], ["numpy!=2", "scipy~=1.1"]),
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
def test_an_invalid_requirement_is_rejected_with_its_location(value):
    with pytest.raises(RequirementsError) as caught:
        parse_value(value, HERE)
    assert caught.value.place == HERE
    assert "1.26" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([3], "`requirements` contains 3: neither a requirement nor a name and a version"),
        (3, "`requirements` is 3, not a list"),
        (["1.26"], "'1.26' is a version without a name"),
    ],
)
def test_an_error_quotes_the_invalid_requirement(value, message):
    with pytest.raises(RequirementsError) as caught:
        parse_value(value, HERE)
    assert (caught.value.message, caught.value.remedy) == (message, FORMS)


def test_an_invalid_version_is_rejected_with_the_accepted_forms():
    with pytest.raises(RequirementsError) as caught:
        parse_value([["numpy", "1 2"]], HERE)
    assert (caught.value.place, caught.value.remedy) == (HERE, FORMS)


def test_a_variable_that_is_not_a_list_is_rejected_at_its_line():
    with pytest.raises(RequirementsError, match="is 3, not a list") as caught:
        declared("x = 1\nrequirements = 3")
    assert caught.value.place == Place("model.ipynb", 1, 2)


def test_literals_are_followed_across_cells():
    cells = [
        'requirements = [["numpy", "2.0"]]',
        'requirements.append(["scipy", "1.14"])\nrequirements += [["pandas", "2.2"]]',
        'requirements.extend(["joblib"])',
    ]
    assert texts(*cells) == ["numpy==2.0", "scipy==1.14", "pandas==2.2", "joblib"]


def test_entries_are_added_by_every_method_that_adds():
    cells = [
        'base = ["dill"]\nname = "numpy"\nrequirements: list = [name]',
        'requirements.insert(0, "scipy")\nrequirements.insert(0, name)\nrequirements.append(name)',
        'requirements.extend(base)\nrequirements.update({"six": "1"})',
    ]
    assert texts(*cells) == ["numpy", "scipy", "numpy", "numpy", "dill", "six==1"]
    assert [one.place.line for one in declared(*cells).requirements] == [3, 1, 2, 3, 1, 2]


@pytest.mark.parametrize("method", ["sort", "reverse", "copy", "items", "keys", "values"])
def test_methods_that_add_nothing_change_nothing(method):
    assert texts('requirements = ["numpy"]', f"requirements.{method}()") == ["numpy"]


def test_a_later_assignment_replaces_the_earlier_one():
    assert texts('requirements = ["numpy"]', 'requirements = ["scipy"]') == ["scipy"]


def test_names_of_literals_are_looked_up():
    assert texts('base = ["numpy"]', 'requirements = base + ["scipy"]') == ["numpy", "scipy"]


def test_a_name_that_changed_is_not_a_literal():
    cells = ['base = ["numpy"]', 'base.append("x")', 'requirements = base + ["scipy"]']
    assert [cell.number for cell in declared(*cells).computed_in] == [3]
    cells = ['base = ["numpy"]', "base = chosen()", "requirements = base"]
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
        'requirements = ["numpy"]\nrequirements.clear()',
        'requirements = ["numpy"]\nrequirements.remove("numpy")',
        'requirements = ["numpy"] + "scipy"',
    ],
)
def test_any_other_expression_is_computed(cell):
    assert [cell.number for cell in declared(cell).computed_in] == [1]


def test_the_location_and_the_name_of_the_variable_are_recorded():
    text = "# %%\nx = 1\n# %%\ny = 2\nserving_requirements = {}"
    for value in ("[]", "chosen()"):
        found = read_declared(notebook(text.format(value)), "serving_requirements")
        assert (found.name, found.place) == ("serving_requirements", Place("model.ipynb", 2, 2))
    assert read_declared(notebook("# %%\nx = 1")) == Declared()


def test_reading_the_variable_changes_nothing():
    cells = [
        'requirements = ["numpy"]',
        "print(requirements)",
        "for n in requirements:\n    print(n)",
    ]
    assert texts(*cells) == ["numpy"]


def test_the_location_is_the_line_of_the_entry():
    found = declared('# a comment\nrequirements = ["numpy"]', '\nrequirements += ["scipy"]')
    assert [requirement.place.line for requirement in found.requirements] == [2, 1]


def test_each_statement_is_examined_once(monkeypatch):
    seen = []

    def looking(statement):
        seen.append(statement)
        return names_changed(statement)

    monkeypatch.setattr("nachlass_builder.requirements.declared.names_changed", looking)
    cells = [f"a{n} = {n}\nb{n} = [a{n}]" for n in range(50)]
    assert texts(*cells, "requirements = ['six']") == ["six"]
    assert len(seen) == 101
