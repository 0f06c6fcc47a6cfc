import pytest

from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.foundation.settings import Settings, parse_assignments, read_environment_file


def test_parameters_win_and_quotes_are_stripped():
    settings = Settings.from_environ(
        {"S2I_SOURCE_NOTEBOOK": "a.ipynb", "S2I_MINE": "x"},
        {"S2I_SOURCE_NOTEBOOK": "'b.ipynb'", "BUCKETS": '"10"'},
    )
    assert settings.notebook == "b.ipynb"
    assert settings.parameters["BUCKETS"] == "10"
    assert settings.parameters["S2I_MINE"] == "x"


def test_lists_and_limits():
    settings = Settings.from_environ(
        {"S2I_SOURCE_NOTEBOOK_LIST": "a.ipynb, b.ipynb,", "S2I_CELL_TIMEOUT": "0"},
        {"S2I_BUILD_TIMEOUT": "2.5"},
    )
    assert settings.notebook_list == ("a.ipynb", "b.ipynb")
    assert settings.cell_timeout_s is None
    assert settings.build_timeout_s == 2.5


def test_what_serving_needs():
    settings = Settings.from_environ({}, {})
    assert settings.slim
    assert settings.serving_requirements == ()
    settings = Settings.from_environ(
        {"S2I_SLIM": "0", "S2I_SERVING_REQUIREMENTS": "'PyArrow, zope.event  a_b,'"}, {}
    )
    assert not settings.slim
    assert settings.serving_requirements == ("pyarrow", "zope-event", "a-b")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("S2I_CELL_TIMEOUT", "soon"),
        ("S2I_CELL_TIMEOUT", "-1"),
        ("S2I_BUILD_TIMEOUT", "nan"),
        ("S2I_PREDICTION_KIND", "colour"),
        ("S2I_RESOLVE_AS_OF", "yesterday"),
        ("S2I_RESOLVE_AS_OF", "20260131"),
        ("S2I_RESOLVE_AS_OF", "2026-W05-6"),
        ("S2I_SLIM", "yes"),
        ("S2I_SERVING_REQUIREMENTS", "numpy>=2"),
        ("S2I_SAMPLES", "df.head()"),
    ],
)
def test_values_that_mean_nothing_are_refused_by_name(name, value):
    with pytest.raises(SourceError, match=name) as caught:
        Settings.from_environ({name: value}, {})
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "samples"),
        ({"S2I_SAMPLES": " inputs "}, "inputs"),
        ({"S2I_SAMPLES": '"inputs"'}, "inputs"),
        ({"S2I_SAMPLES": ""}, None),
        ({"S2I_SAMPLES": "''"}, None),
    ],
)
def test_the_variable_of_the_samples(environ, name):
    assert Settings.from_environ(environ, {}).samples == name


def test_the_environment_file(tmp_path):
    assert read_environment_file(tmp_path) == {}
    (tmp_path / ".s2i").mkdir()
    (tmp_path / ".s2i" / "environment").write_text("# why\n\nA=b=c\n B = 'd' \n")
    assert read_environment_file(tmp_path) == {"A": "b=c", "B": "'d'"}
    (tmp_path / ".s2i" / "environment").write_text("A=b\nnothing\n")
    with pytest.raises(SourceError) as caught:
        read_environment_file(tmp_path)
    assert caught.value.place.line == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_environment_file_of_windows_is_read(tmp_path, encoding):
    (tmp_path / ".s2i").mkdir()
    (tmp_path / ".s2i" / "environment").write_bytes("A=ö\r\nB=2\r\n".encode(encoding))
    assert read_environment_file(tmp_path) == {"A": "ö", "B": "2"}


def test_an_environment_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / ".s2i").mkdir()
    (tmp_path / ".s2i" / "environment").write_bytes(b"A=\xf6\n")
    with pytest.raises(SourceError) as caught:
        read_environment_file(tmp_path)
    assert caught.value.message == "the file is not UTF-8 text"
    assert str(caught.value.place) == ".s2i/environment"


def test_assignments():
    assert parse_assignments(["A=b=c", "D="]) == {"A": "b=c", "D": ""}
    with pytest.raises(SourceError):
        parse_assignments(["A"])
