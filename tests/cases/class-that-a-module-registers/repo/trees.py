REGISTERED = {}


def register(kind):
    REGISTERED[kind] = kind.leaves
    return kind


def total(tree):
    return sum(REGISTERED[type(tree)](tree))
