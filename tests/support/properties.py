"""Shared code of property tests of parsers."""

from contextlib import contextmanager


@contextmanager
def may_refuse(kind, *, in_place=False):
    """Allow a block to raise an error of ours, which must have a message and a place."""
    try:
        yield
    except kind as failure:
        is_clear = str(failure) and not (in_place and failure.place is None)
        if not is_clear:
            raise AssertionError("the error has no message or no place") from failure
