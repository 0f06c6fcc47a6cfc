import six


def version():
    return six.__version__
