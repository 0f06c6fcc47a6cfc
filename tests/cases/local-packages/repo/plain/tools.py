from plain.numbers import seven


def offset():
    return seven
