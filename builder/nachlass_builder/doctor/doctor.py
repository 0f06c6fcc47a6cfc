"""Runs the checks of `nachlass doctor`."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from nachlass_builder.doctor.check import Check, failed, ok
from nachlass_builder.doctor.indexes import check_indexes, userinfos
from nachlass_builder.doctor.machine import check_folder, check_variables
from nachlass_builder.doctor.tools import (
    check_compiler,
    check_engines,
    check_git,
    check_python,
    check_uv,
)
from nachlass_builder.foundation.credentials import never_show
from nachlass_builder.foundation.errors import NachlassError
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.uv_program import uv_cache_folder


def run_checks(environ: Mapping[str, str]) -> list[Check]:
    """Run all checks concurrently and return them in a fixed order."""
    try:
        indexes = IndexSettings.read(environ, None)
    except NachlassError as failure:
        unread = failed("pip settings", failure)
        indexes = IndexSettings(environ=dict(environ))
        about_indexes: Callable[[], Iterator[Check]] = lambda: iter([unread])  # noqa: E731 - short
    else:
        about_indexes = partial(check_indexes, indexes)
    never_show({*indexes.secrets, *userinfos(indexes)})
    checks: list[Callable[[], Iterator[Check]]] = [
        partial(check_python, indexes),
        check_uv,
        check_git,
        about_indexes,
        partial(_check_caches, environ),
        check_engines,
        partial(check_compiler, environ),
        partial(check_variables, environ),
    ]
    # Until Python 3.13 its first call is not thread-safe, and finding uv needs it.
    sysconfig.get_config_vars()
    with ThreadPoolExecutor(len(checks)) as threads:
        return [check for found in threads.map(lambda check: [*check()], checks) for check in found]


def _check_caches(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check our cache and uv's."""
    try:
        cache = Settings.from_environ(environ, {}).cache
    except NachlassError as failure:
        yield failed("cache", failure)
    else:
        yield from check_folder("cache", cache, with_size=True)
    try:
        uv = uv_cache_folder(environ)
    except NachlassError:
        return  # another check tells what is wrong with uv
    if uv:
        yield from check_folder("uv cache", uv)
    else:
        yield ok("uv cache", "unknown")
