"""Reads GUNICORN_CMD_ARGS, and refuses what would be taken and do nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from gunicorn.config import Config
from gunicorn.glogging import Logger

from nachlass_service.base.errors import SettingError

FILES = frozenset({"certfile", "keyfile", "ca_certs"})

SIGHUP = "send SIGHUP when the bundle has changed"
STATSD = "nothing is sent, see /metrics"
FOLDER = "the model's own folders are used"
LEAVE_OUT = "leave it out"
WITHOUT_EFFECT = {
    "config": "write its settings into GUNICORN_CMD_ARGS",
    "print_config": LEAVE_OUT,
    "check_config": LEAVE_OUT,
    "daemon": "let what starts the service keep it in the background",
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
"""gunicorn's settings that this service has no use for, each with what to do instead."""

OF_OTHER_WORKERS = frozenset(
    "casefold_http_method do_handshake_on_connect forwarder_headers header_map http2_cleartext"
    " http2_initial_window_size http2_max_concurrent_streams http2_max_frame_size"
    " http2_max_header_list_size http_parser http_protocols permit_obsolete_folding"
    " permit_unconventional_http_method permit_unconventional_http_version protocol"
    " proxy_allow_ips proxy_protocol root_path sendfile strip_header_spaces"
    " suppress_ragged_eofs uwsgi_allow_ips websocket_max_message_size".split()
)
"""Settings of gunicorn's own way of reading HTTP, which the service's worker does not share."""


def read_arguments(cfg: Config) -> dict[str, Any]:
    """What GUNICORN_CMD_ARGS sets, by gunicorn's names; raises SettingError."""
    parser = cfg.parser()
    parser.error = _refuse  # type: ignore[method-assign]
    found = vars(parser.parse_args(cfg.get_cmd_args_from_env()))
    if words := found.pop("args", None):
        raise SettingError(f"GUNICORN_CMD_ARGS holds {words[0]!r}, which is no setting")
    asked = {name: value for name, value in found.items() if value is not None}
    for name, instead in WITHOUT_EFFECT.items():
        _refuse_if_asked(name, asked, cfg, instead)
    for name in FILES & asked.keys():  # loading a model changes the working directory
        asked[name] = str(Path(asked[name]).absolute())
    return asked


def refuse_of_other_workers(asked: Mapping[str, Any], cfg: Config) -> None:
    """Refuse what only gunicorn's own workers do; raises SettingError."""
    for name in OF_OTHER_WORKERS:
        _refuse_if_asked(name, asked, cfg, "leave it out, or serve with -k gthread")


def _refuse_if_asked(name: str, asked: Mapping[str, Any], cfg: Config, instead: str) -> None:
    if name in asked:
        flag = (cfg.settings[name].cli or [name])[-1]
        raise SettingError(f"GUNICORN_CMD_ARGS sets {flag}, which has no effect here: {instead}")


def check_settings(cfg: Config) -> None:
    """Refuse values that gunicorn takes, and that end it later or mean another; SettingError."""
    if cfg.workers < 1:
        raise SettingError("GUNICORN_CMD_ARGS asks for no workers")
    if cfg.worker_connections < 1:
        raise SettingError("GUNICORN_CMD_ARGS asks for no connections")
    folder = cfg.worker_tmp_dir
    if folder and not (Path(folder).is_dir() and os.access(folder, os.W_OK)):
        raise SettingError(f"GUNICORN_CMD_ARGS: {folder} is no folder that can be written")
    if cfg.loglevel.lower() not in Logger.LOG_LEVELS:
        levels = ", ".join(Logger.LOG_LEVELS)
        raise SettingError(f"GUNICORN_CMD_ARGS: --log-level is {cfg.loglevel!r}, not of {levels}")


def _refuse(message: str) -> NoReturn:
    """What argparse does with arguments that it does not understand."""
    raise SettingError(f"GUNICORN_CMD_ARGS cannot be used: {message}")
