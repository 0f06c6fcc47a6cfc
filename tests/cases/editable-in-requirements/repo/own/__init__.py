import cloudpickle


def score(x):
    return cloudpickle.loads(cloudpickle.dumps(x)) * 9
