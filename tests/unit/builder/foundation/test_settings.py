import platformdirs
import pytest

from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.foundation.settings import (
    Settings,
    parse_assignments,
    read_environment_file,
    unquote,
)


def test_parameters_take_precedence_and_quotes_are_removed():
    settings = Settings.from_environ(
        {"S2I_SOURCE_NOTEBOOK": "a.ipynb", "S2I_MINE": "x"},
        {"S2I_SOURCE_NOTEBOOK": "'b.ipynb'", "BUCKETS": '"10"'},
    )
    assert settings.notebook == "b.ipynb"
    assert settings.parameters["BUCKETS"] == "10"
    assert settings.parameters["S2I_MINE"] == "x"


def test_cells_see_the_notebooks_variables_but_not_those_of_pip_and_uv():
    settings = Settings.from_environ(
        {"HOME": "/home", "S2I_SLIM": "1", "S2I_MINE": "x", "PIP_PRE": "1"},
        {"BUCKETS": "10", "PIP_INDEX_URL": "'https://a'", "UV_INDEX": '"https://b"'},
    )
    assert settings.parameters == {"S2I_MINE": "x", "BUCKETS": "10"}
    assert settings.index == {"PIP_INDEX_URL": "https://a", "UV_INDEX": "https://b"}


def test_the_model_its_kind_and_its_folders_can_be_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environ(
        {
            "S2I_MODEL_NAME": "spam",
            "S2I_MODEL_PATH": "out/spam",
            "S2I_CACHE_DIR": "kept",
            "S2I_PREDICTION_KIND": "label",
            "S2I_RESOLVE_AS_OF": "commit",
        },
        {},
    )
    assert (settings.model_name, settings.prediction_kind) == ("spam", "label")
    assert (settings.model_path, settings.cache) == (tmp_path / "out/spam", tmp_path / "kept")
    assert settings.resolve_as_of == "commit"


def test_by_default_there_are_no_limits_and_the_cache_is_the_users():
    settings = Settings.from_environ({}, {})
    assert settings.model_name is settings.model_path is settings.prediction_kind is None
    assert settings.cell_timeout_s is settings.build_timeout_s is None
    assert settings.cache == platformdirs.user_cache_path() / "nachlass"


def test_a_user_without_a_home_folder_must_set_a_cache(monkeypatch):
    def no_home(_name):
        raise RuntimeError("no home")

    monkeypatch.setattr(platformdirs, "user_cache_path", no_home)
    with pytest.raises(SourceError) as caught:
        Settings.from_environ({}, {})
    assert caught.value.message == "no home folder for the cache"
    assert caught.value.remedy == "set S2I_CACHE_DIR to a folder"


def test_lists_and_limits_are_parsed():
    settings = Settings.from_environ(
        {"S2I_SOURCE_NOTEBOOK_LIST": "a.ipynb, b.ipynb,", "S2I_CELL_TIMEOUT": "0"},
        {"S2I_BUILD_TIMEOUT": "2.5"},
    )
    assert settings.notebook_list == ("a.ipynb", "b.ipynb")
    assert settings.cell_timeout_s is None
    assert settings.build_timeout_s == 2.5


def test_slim_and_the_serving_requirements_can_be_set():
    for environ in ({}, {"S2I_SLIM": "1"}):
        settings = Settings.from_environ(environ, {})
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
        ("S2I_CELL_TIMEOUT", "inf"),
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
def test_invalid_values_are_rejected_with_the_variables_name(name, value):
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
def test_the_variable_with_the_samples_can_be_set(environ, name):
    assert Settings.from_environ(environ, {}).samples == name


def test_the_environment_file_is_parsed(tmp_path):
    assert read_environment_file(tmp_path) == {}
    (tmp_path / ".s2i").mkdir()
    (tmp_path / ".s2i" / "environment").write_text("# why\n\nA=b=c\n B = 'd' \n")
    assert read_environment_file(tmp_path) == {"A": "b=c", "B": "'d'"}
    (tmp_path / ".s2i" / "environment").write_text("A=b\nnothing\n")
    with pytest.raises(SourceError) as caught:
        read_environment_file(tmp_path)
    assert str(caught.value) == (
        "error: .s2i/environment, line 2: the line sets nothing\nhelp: write it as NAME=VALUE"
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_environment_file_from_windows_is_read(tmp_path, encoding):
    (tmp_path / ".s2i").mkdir()
    (tmp_path / ".s2i" / "environment").write_bytes("A=ö\r\nB=2\r\n".encode(encoding))
    assert read_environment_file(tmp_path) == {"A": "ö", "B": "2"}


def test_an_environment_file_that_is_not_text_is_rejected(tmp_path):
    (tmp_path / ".s2i").mkdir()
    (tmp_path / ".s2i" / "environment").write_bytes(b"A=\xf6\n")
    with pytest.raises(SourceError) as caught:
        read_environment_file(tmp_path)
    assert caught.value.message == "the file is not UTF-8 text"
    assert str(caught.value.place) == ".s2i/environment"


def test_assignments_are_parsed():
    assert parse_assignments(["A=b=c", "D="]) == {"A": "b=c", "D": ""}
    with pytest.raises(SourceError) as caught:
        parse_assignments(["A"])
    assert caught.value.message == "-e 'A' sets nothing"
    assert caught.value.remedy == "write it as -e NAME=VALUE"


def test_only_quotes_are_removed():
    assert [unquote(text) for text in ("'a'", '"a"', "''", "'", "XaX")] == [
        *("a", "a", "", "'", "XaX")
    ]
