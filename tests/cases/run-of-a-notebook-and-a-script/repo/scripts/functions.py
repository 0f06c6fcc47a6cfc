def times(x):
    return FACTOR * x


def predictor(x):
    return times(x) + offset()
