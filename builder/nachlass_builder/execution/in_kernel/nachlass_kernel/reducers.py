"""Teaches pickle what only IPython or a notebook knows. Notebook's kernel."""

from __future__ import annotations

import copyreg
import functools
from typing import Any

from IPython.utils.text import LSString, SList

from nachlass_kernel.code_places import keep_places


def register() -> None:
    """Let code keep its place, functions their `lru_cache`; output of `!command` becomes plain."""
    keep_places()
    copyreg.pickle(functools._lru_cache_wrapper, _reduce_cached)
    copyreg.pickle(SList, _reduce_output)
    copyreg.pickle(LSString, _reduce_output)


def _reduce_output(output: Any) -> tuple[Any, ...]:
    """A plain list or text in place of IPython's own."""
    plain = list if isinstance(output, list) else str
    return plain, (plain(output),)


def _reduce_cached(cached: Any) -> str | tuple[Any, ...]:
    """Make the cache anew, and empty, around the notebook's function.

    By itself a cached function is pickled as a name.
    """
    if cached.__module__ != "__main__":
        return str(cached.__qualname__)
    parameters = cached.cache_parameters()
    state = {key: part for key, part in vars(cached).items() if key != "cache_parameters"}
    arguments = (cached.__wrapped__, parameters["maxsize"], parameters["typed"])
    return functools._lru_cache_wrapper, (*arguments, functools._CacheInfo), state
