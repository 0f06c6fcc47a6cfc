"""Reducers for objects that pickle cannot handle in a notebook. Notebook's kernel.

Objects of the notebook that pickle would look up by name are rebuilt from their parts, as are
objects with a lock, a cache or a compiled part that can be recreated. All of them load with the
standard library alone.
"""

from __future__ import annotations

import copyreg
import functools
import gc
import json.scanner
import random
import struct
import sys
import typing
from contextvars import Context, ContextVar
from operator import methodcaller
from types import MethodType, SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

from IPython.utils.text import LSString, SList

import __main__
from nachlass_kernel.code_places import keep_places
from nachlass_kernel.module_paths import leave_out_paths

Reduced = str | tuple[Any, ...]
"""A reducer's result for pickle: the name of a global, or how to create the object."""

Scanner: Any = json.scanner.make_scanner
SCANNER_PARTS = "strict object_hook object_pairs_hook parse_float parse_int parse_constant".split()


def register() -> None:
    """Keep the places of code, leave out module paths, and register the reducers."""
    keep_places()
    leave_out_paths()
    for kind, reducer in {
        SList: _reduce_output,
        LSString: _reduce_output,
        functools._lru_cache_wrapper: _reduce_cached,
        functools.cached_property: _reduce_cached_property,
        typing.NewType: _reduce_new_type,
        typing.TypeVarTuple: _reduce_type_var_tuple,
        ContextVar: _reduce_context_variable,
        WeakKeyDictionary: _reduce_weak_dictionary,
        Scanner: _reduce_scanner,
        struct.Struct: lambda compiled: (struct.Struct, (compiled.format,)),
        random.SystemRandom: lambda _: (random.SystemRandom, ()),
    }.items():
        copyreg.pickle(kind, reducer)


def _reduce_output(output: Any) -> Reduced:
    """Reduce IPython's own list or string to a plain one."""
    plain = list if isinstance(output, list) else str
    return plain, (plain(output),)


def _reduce_cached(cached: Any) -> Reduced:
    """Recreate an empty cache around the notebook's function.

    Pickle's default for a cached function is its name.
    """
    if cached.__module__ != "__main__":
        return str(cached.__qualname__)
    parameters = cached.cache_parameters()
    state = {key: part for key, part in vars(cached).items() if key != "cache_parameters"}
    arguments = (cached.__wrapped__, parameters["maxsize"], parameters["typed"])
    return functools._lru_cache_wrapper, (*arguments, functools._CacheInfo), state


def _reduce_cached_property(cached: Any) -> Reduced:
    """Recreate the property around its function, because before Python 3.12 it has a lock."""
    state = {key: part for key, part in vars(cached).items() if key not in ("func", "lock")}
    return functools.cached_property, (cached.func,), state


def _reduce_new_type(made: Any) -> Reduced:
    """Recreate the notebook's type; reduce another module's to its name."""
    if made.__module__ != "__main__":
        return str(made.__qualname__)
    return typing.NewType, (made.__qualname__, made.__supertype__), {"__module__": "__main__"}


def _reduce_type_var_tuple(made: Any) -> Reduced:
    """Recreate the notebook's variable; reduce another module's to its name."""
    if made.__module__ != "__main__":
        return str(made.__name__)
    # As a state of slots: from Python 3.12 it has no __dict__.
    return typing.TypeVarTuple, (made.__name__,), (None, {"__module__": "__main__"})


def _reduce_context_variable(variable: Any) -> Reduced:
    """Recreate the notebook's variable, with its current value or default as the default.

    A module's variable stays a reference to the module. One that is not a global is rejected,
    because it may belong to an object that needs that very variable.
    """
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        for name, value in list(names.items()) if isinstance(names, dict) else ():
            if value is variable and module is not __main__:
                return getattr, (module, name)
    if not any(value is variable for value in list(vars(__main__).values())):
        raise TypeError("cannot pickle a ContextVar that is not a global variable")
    unset = object()
    value = variable.get(unset)
    if value is unset:
        try:
            value = Context().run(variable.get)
        except LookupError:
            return ContextVar, (variable.name,)
    return functools.partial(ContextVar, variable.name, default=value), ()


def _reduce_weak_dictionary(weak: Any) -> Reduced:
    """Reduce the cache of a singledispatch function to an empty dictionary; reject others.

    The cache may refer to classes that do not exist where the model is served. Other
    dictionaries would lose entries that nothing else in the pickle refers to.
    """
    if weak and not _is_dispatch_cache(weak):
        raise TypeError("cannot pickle a WeakKeyDictionary: its keys may no longer exist")
    return WeakKeyDictionary, ()


def _is_dispatch_cache(weak: Any) -> bool:
    """Return whether functools.singledispatch keeps the dictionary or can clear it."""
    referrers = gc.get_referrers(weak)
    if any(isinstance(one, functools.singledispatchmethod) for one in referrers):
        return True
    return any(
        holder.get("_clear_cache") is one
        for one in referrers
        if isinstance(one, MethodType) and one.__func__ is WeakKeyDictionary.clear
        for holder in gc.get_referrers(one)
        if isinstance(holder, dict)
    )


def _reduce_scanner(scanner: Any) -> Reduced:
    """Recreate the compiled part of a json.JSONDecoder from the decoder's options."""
    options = SimpleNamespace(**{part: getattr(scanner, part) for part in SCANNER_PARTS})
    return methodcaller("make_scanner", options), (json.scanner,)
