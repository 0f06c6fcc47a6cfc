import pytest

from nachlass_service.base.errors import SettingError
from nachlass_service.base.settings import VARIABLES, Settings

DEFAULTS = Settings(
    port=8080,
    workers=None,
    metrics_prefix="nachlass",
    max_body_bytes=16 << 20,
    max_batch_rows=1_000_000,
    max_batch_s=600.0,
    predict_timeout_s=60.0,
    predictor_threads=1,
    strict_schema=False,
    slow_request_s=1.0,
    input_metrics_rate=0.1,
    drift_window_s=3600.0,
    show_samples=None,
    log_format=None,
)


@pytest.mark.parametrize("value", [None, "", "  ", "''", '" "'])
def test_the_default_settings_are_used_without_variables(value):
    environ = {} if value is None else {variable.name: value for variable in VARIABLES}
    assert Settings.from_environ(environ) == DEFAULTS


def test_the_documented_defaults_are_the_actual_ones():
    defaults = {variable.name: variable.default for variable in VARIABLES}
    words = ("WEB_CONCURRENCY", "S2I_SHOW_SAMPLES", "S2I_LOG_FORMAT")
    variables = {
        name: default.partition(";")[0] for name, default in defaults.items() if name not in words
    }
    assert Settings.from_environ(variables) == DEFAULTS
    assert all(variable.meaning for variable in VARIABLES)


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("PORT", "0", "port", 0),
        ("PORT", "65535", "port", 65535),
        ("WEB_CONCURRENCY", "1", "workers", 1),
        ("WEB_CONCURRENCY", "128", "workers", 128),
        ("S2I_APP_METRICS_PREFIX", "my_model:v1", "metrics_prefix", "my_model:v1"),
        ("S2I_MAX_BODY_BYTES", "1", "max_body_bytes", 1),
        ("S2I_MAX_BATCH_ROWS", "1", "max_batch_rows", 1),
        ("S2I_MAX_BATCH_SECONDS", "0.5", "max_batch_s", 0.5),
        ("S2I_PREDICT_TIMEOUT", "0.5", "predict_timeout_s", 0.5),
        ("S2I_PREDICT_TIMEOUT", "86400", "predict_timeout_s", 86400.0),
        ("S2I_PREDICTOR_THREADS", "32", "predictor_threads", 32),
        ("S2I_STRICT_SCHEMA", "1", "strict_schema", True),
        ("S2I_SLOW_REQUEST", "1e-3", "slow_request_s", 0.001),
        ("S2I_INPUT_METRICS_RATE", "1", "input_metrics_rate", 1.0),
        ("S2I_DRIFT_WINDOW", "60", "drift_window_s", 60.0),
        ("S2I_SHOW_SAMPLES", "1", "show_samples", True),
        ("S2I_SHOW_SAMPLES", "0", "show_samples", False),
        ("S2I_LOG_FORMAT", "text", "log_format", "text"),
        ("S2I_LOG_FORMAT", "json", "log_format", "json"),
    ],
)
@pytest.mark.parametrize("around", ["{}", " {}\n", "'{}'", '"{}"', "' {} '"])
def test_each_variable_is_read_without_spaces_and_quotes(name, value, field, expected, around):
    settings = Settings.from_environ({name: around.format(value), "OTHER": "x"})
    assert getattr(settings, field) == expected
    assert type(getattr(settings, field)) is type(expected)


WHOLE = ("-1", "1.5", "x", "1e3", "0x10", "1_000", "+1", "٣", "1 2", "9" * 400, "'1", "None")
SECONDS = ("0", "-1", "nan", "inf", "-inf", "soon", "1s", "1e300", "0,5", "9" * 400)
BAD = {
    "PORT": (*WHOLE, "65536", "tcp://10.0.0.1:80"),
    "WEB_CONCURRENCY": (*WHOLE, "0", "129", "auto"),
    "S2I_APP_METRICS_PREFIX": ("my-model", "1st", "a b", "ä", "a\nb", "a{b", "'a"),
    "S2I_MAX_BODY_BYTES": (*WHOLE, "0", "16M", str(1 << 41)),
    "S2I_MAX_BATCH_ROWS": (*WHOLE, "0", "1M"),
    "S2I_MAX_BATCH_SECONDS": SECONDS,
    "S2I_PREDICT_TIMEOUT": SECONDS,
    "S2I_PREDICTOR_THREADS": (*WHOLE, "0", "33"),
    "S2I_STRICT_SCHEMA": ("2", "yes", "true", "-1"),
    "S2I_SLOW_REQUEST": SECONDS,
    "S2I_INPUT_METRICS_RATE": ("-0.1", "1.1", "nan", "inf", "10%", "all"),
    "S2I_DRIFT_WINDOW": SECONDS,
    "S2I_SHOW_SAMPLES": ("2", "yes", "true", "-1"),
    "S2I_LOG_FORMAT": ("xml", "JSON", "text,json"),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_invalid_values_are_rejected_with_the_variables_name(name, value):
    with pytest.raises(SettingError) as caught:
        Settings.from_environ({name: value})
    assert str(caught.value).startswith(f"{name} is ")
    assert ": use " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_variable_of_gunicorn_is_ignored():
    assert Settings.from_environ({"GUNICORN_CMD_ARGS": "--access-logfile -"}) == DEFAULTS


def test_every_variable_is_tested_here():
    assert {variable.name for variable in VARIABLES} == {*BAD, "GUNICORN_CMD_ARGS"}
