"""The settings that GUNICORN_CMD_ARGS may contain, and those that are rejected."""

import pytest
from gunicorn.config import Config

from nachlass_service.base.errors import SettingError
from nachlass_service.hosting.gunicorn_arguments import (
    OTHER_WORKERS_SETTINGS,
    WITHOUT_EFFECT,
    check_settings,
    read_arguments,
    reject_other_workers_settings,
)


@pytest.fixture
def read(monkeypatch):
    def read(arguments):
        monkeypatch.setenv("GUNICORN_CMD_ARGS", arguments)
        return read_arguments(Config())

    return read


def test_supported_arguments_are_read(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = read("--workers 3 --certfile cert.pem --access-logfile - -k gthread")
    assert settings == {
        "workers": 3,
        "certfile": str(tmp_path / "cert.pem"),
        "accesslog": "-",
        "worker_class": "gthread",
    }
    assert read("") == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-c gunicorn.conf.py", "sets --config, which has no effect here: set its settings"),
        ("--print-config", "sets --print-config, which"),
        ("--check-config", "sets --check-config, which"),
        ("--reload", "sets --reload, which has no effect here: send SIGHUP"),
        ("-D", "sets --daemon, which has no effect here: run the service in the background"),
        ("--statsd-host a:1", "the service sends no metrics, scrape /metrics"),
        (
            "--chdir /",
            "sets --chdir, which has no effect here: the service uses the model's folders",
        ),
        ("app:application", "has 'app:application', which is not a setting"),
        ("--workers many", "GUNICORN_CMD_ARGS is invalid: argument -w/--workers"),
        ("--nothing", "is invalid: unrecognized arguments: --nothing"),
    ],
)
def test_unsupported_arguments_are_rejected_with_an_alternative(read, arguments, message):
    with pytest.raises(SettingError) as caught:
        read(arguments)
    assert message in str(caught.value)


def test_http_parsing_options_are_valid_only_for_gunicorns_own_workers(read):
    settings = read("--strip-header-spaces")
    assert settings == {"strip_header_spaces": True}
    with pytest.raises(SettingError, match="remove it, or serve with -k gthread"):
        reject_other_workers_settings(settings, Config())
    reject_other_workers_settings({"workers": 3}, Config())


def test_no_setting_is_listed_twice():
    assert not WITHOUT_EFFECT.keys() & OTHER_WORKERS_SETTINGS


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("workers", 0, "sets no workers"),
        ("worker_connections", 0, "sets no connections"),
        ("worker_tmp_dir", "/nowhere", "/nowhere is not a writable folder"),
        ("loglevel", "loud", "--log-level is 'loud', not one of critical, error, warning"),
    ],
)
def test_values_accepted_but_unusable_by_gunicorn_are_rejected(name, value, message):
    cfg = Config()
    check_settings(cfg)
    cfg.set(name, value)
    with pytest.raises(SettingError, match=message):
        check_settings(cfg)
