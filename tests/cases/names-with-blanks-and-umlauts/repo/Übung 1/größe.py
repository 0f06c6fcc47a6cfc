import csv


def lies(datei):
    with open(datei) as zeilen:
        return {name: float(preis) for name, preis in csv.reader(zeilen)}
