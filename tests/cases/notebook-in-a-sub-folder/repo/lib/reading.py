import csv


def lookup(path, name):
    with open(path) as file:
        return int(dict(csv.reader(file))[name])
