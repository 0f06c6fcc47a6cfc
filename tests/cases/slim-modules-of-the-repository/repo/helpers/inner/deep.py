from .. import further


def answer():
    return further.deep_tool.__name__
