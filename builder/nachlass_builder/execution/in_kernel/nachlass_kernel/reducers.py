"""Teaches pickle what only IPython or a notebook knows. Notebook's kernel.

What the notebook made and pickle would look for by name is made anew from its parts,
as is what holds a lock, a cache or a compiled part that can be made again. All of it
loads with the standard library alone.
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
"""What pickle takes of a reducer: the name of a global, or how the object is made."""

Scanner: Any = json.scanner.make_scanner
SCANNER_PARTS = "strict object_hook object_pairs_hook parse_float parse_int parse_constant".split()


def register() -> None:
    """Let code keep its place, leave out that of modules, and pickle what the reducers name."""
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
    """A plain list or text in place of IPython's own."""
    plain = list if isinstance(output, list) else str
    return plain, (plain(output),)


def _reduce_cached(cached: Any) -> Reduced:
    """Make the cache anew, and empty, around the notebook's function.

    By itself a cached function is pickled as a name.
    """
    if cached.__module__ != "__main__":
        return str(cached.__qualname__)
    parameters = cached.cache_parameters()
    state = {key: part for key, part in vars(cached).items() if key != "cache_parameters"}
    arguments = (cached.__wrapped__, parameters["maxsize"], parameters["typed"])
    return functools._lru_cache_wrapper, (*arguments, functools._CacheInfo), state


def _reduce_cached_property(cached: Any) -> Reduced:
    """Make the property anew around its function: until Python 3.12 it holds a lock."""
    state = {key: part for key, part in vars(cached).items() if key not in ("func", "lock")}
    return functools.cached_property, (cached.func,), state


def _reduce_new_type(made: Any) -> Reduced:
    """The notebook's type made anew; another module's by its name."""
    if made.__module__ != "__main__":
        return str(made.__qualname__)
    return typing.NewType, (made.__qualname__, made.__supertype__), {"__module__": "__main__"}


def _reduce_type_var_tuple(made: Any) -> Reduced:
    """The notebook's variable made anew; another module's by its name."""
    if made.__module__ != "__main__":
        return str(made.__name__)
    # As a state of slots: from Python 3.12 it has no __dict__.
    return typing.TypeVarTuple, (made.__name__,), (None, {"__module__": "__main__"})


def _reduce_context_variable(variable: Any) -> Reduced:
    """A new variable with what the cells left in the notebook's, or its own, as its default.

    A module's stays the module's. One that neither has as a global is refused: it may be
    a part of something that asks for that very variable.
    """
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        for name, value in list(names.items()) if isinstance(names, dict) else ():
            if value is variable and module is not __main__:
                return getattr, (module, name)
    if not any(value is variable for value in list(vars(__main__).values())):
        raise TypeError("cannot pickle a ContextVar that is no variable of a cell")
    unset = object()
    value = variable.get(unset)
    if value is unset:
        try:
            value = Context().run(variable.get)
        except LookupError:
            return ContextVar, (variable.name,)
    return functools.partial(ContextVar, variable.name, default=value), ()


def _reduce_weak_dictionary(weak: Any) -> Reduced:
    """An empty one for what singledispatch remembers of calls; else refused.

    What was called with may be of a class that is not there where the model is served.
    Others would lose the entries that nothing else in the pickle holds.
    """
    if weak and not _is_dispatch_cache(weak):
        raise TypeError("cannot pickle a WeakKeyDictionary: what it refers to may be gone")
    return WeakKeyDictionary, ()


def _is_dispatch_cache(weak: Any) -> bool:
    """Whether a method of singledispatch keeps it, or a function the means to clear it."""
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
    """The compiled part of a json.JSONDecoder, made anew from the decoder's options."""
    options = SimpleNamespace(**{part: getattr(scanner, part) for part in SCANNER_PARTS})
    return methodcaller("make_scanner", options), (json.scanner,)
