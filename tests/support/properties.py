"""What properties of parsers share."""

from contextlib import contextmanager


@contextmanager
def may_refuse(kind, *, in_place=False):
    """Let a block end with a failure of ours, which has to say what is wrong, and where."""
    try:
        yield
    except kind as failure:
        is_clear = str(failure) and not (in_place and failure.place is None)
        if not is_clear:
            raise AssertionError("the failure says too little") from failure
