"""Reads GUNICORN_CMD_ARGS and rejects settings that would have no effect."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from gunicorn.config import Config
from gunicorn.glogging import Logger

from nachlass_service.base.errors import SettingError

FILES = frozenset({"certfile", "keyfile", "ca_certs"})

SIGHUP = "send SIGHUP to reload a changed bundle"
STATSD = "the service sends no metrics, scrape /metrics"
FOLDER = "the service uses the model's folders"
LEAVE_OUT = "remove it"
WITHOUT_EFFECT = {
    "config": "set its settings in GUNICORN_CMD_ARGS",
    "print_config": LEAVE_OUT,
    "check_config": LEAVE_OUT,
    "daemon": "run the service in the background with a process manager",
    "enable_stdio_inheritance": LEAVE_OUT,
    "reload": SIGHUP,
    "reload_engine": SIGHUP,
    "reload_extra_files": SIGHUP,
    "chdir": FOLDER,
    "pythonpath": FOLDER,
    "paste": LEAVE_OUT,
    "raw_paste_global_conf": LEAVE_OUT,
    "statsd_host": STATSD,
    "statsd_prefix": STATSD,
    "dogstatsd_tags": STATSD,
    "enable_backlog_metric": STATSD,
    "control_socket": LEAVE_OUT,
    "control_socket_mode": LEAVE_OUT,
    "spew": LEAVE_OUT,
    "asgi_loop": LEAVE_OUT,
    "asgi_lifespan": LEAVE_OUT,
    "asgi_disconnect_grace_period": LEAVE_OUT,
}
"""Settings of gunicorn without effect in this service, each with what to do instead."""

OTHER_WORKERS_SETTINGS = frozenset(
    "casefold_http_method do_handshake_on_connect forwarder_headers header_map http2_cleartext"
    " http2_initial_window_size http2_max_concurrent_streams http2_max_frame_size"
    " http2_max_header_list_size http_parser http_protocols permit_obsolete_folding"
    " permit_unconventional_http_method permit_unconventional_http_version protocol"
    " proxy_allow_ips proxy_protocol root_path sendfile strip_header_spaces"
    " suppress_ragged_eofs uwsgi_allow_ips websocket_max_message_size".split()
)
"""Settings of gunicorn's HTTP parser, which the service's worker does not use."""


def read_arguments(cfg: Config) -> dict[str, Any]:
    """Return the settings in GUNICORN_CMD_ARGS by gunicorn's names; raises SettingError."""
    parser = cfg.parser()
    parser.error = _reject  # type: ignore[method-assign]
    found = vars(parser.parse_args(cfg.get_cmd_args_from_env()))
    if words := found.pop("args", None):
        raise SettingError(f"GUNICORN_CMD_ARGS has {words[0]!r}, which is not a setting")
    values = {name: value for name, value in found.items() if value is not None}
    for name, instead in WITHOUT_EFFECT.items():
        _reject_if_set(name, values, cfg, instead)
    for name in FILES & values.keys():  # loading a model changes the working directory
        values[name] = str(Path(values[name]).absolute())
    return values


def reject_other_workers_settings(values: Mapping[str, Any], cfg: Config) -> None:
    """Reject settings that only gunicorn's own workers have; raises SettingError."""
    for name in OTHER_WORKERS_SETTINGS:
        _reject_if_set(name, values, cfg, "remove it, or serve with -k gthread")


def _reject_if_set(name: str, values: Mapping[str, Any], cfg: Config, remedy: str) -> None:
    if name in values:
        flag = (cfg.settings[name].cli or [name])[-1]
        raise SettingError(f"GUNICORN_CMD_ARGS sets {flag}, which has no effect here: {remedy}")


def check_settings(cfg: Config) -> None:
    """Reject values that gunicorn accepts but fails on later or misreads; raises SettingError."""
    if cfg.workers < 1:
        raise SettingError("GUNICORN_CMD_ARGS sets no workers (at least 1 needed)")
    if cfg.worker_connections < 1:
        raise SettingError("GUNICORN_CMD_ARGS sets no connections (at least 1 needed)")
    folder = cfg.worker_tmp_dir
    if folder and not (Path(folder).is_dir() and os.access(folder, os.W_OK)):
        raise SettingError(f"GUNICORN_CMD_ARGS: {folder} is not a writable folder")
    if cfg.loglevel.lower() not in Logger.LOG_LEVELS:
        levels = ", ".join(Logger.LOG_LEVELS)
        raise SettingError(
            f"GUNICORN_CMD_ARGS: --log-level is {cfg.loglevel!r}, not one of {levels}"
        )


def _reject(message: str) -> NoReturn:
    """Raise SettingError for arguments that argparse does not understand."""
    raise SettingError(f"GUNICORN_CMD_ARGS is invalid: {message}")
