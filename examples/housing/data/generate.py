"""Generates houses.csv, the training data: the same houses each time."""

from pathlib import Path

import numpy as np
import pandas as pd

COUNT = 1500
UNKNOWN_AGE = 0.08

# the price level of a neighbourhood, and the distance of its centre from the station
NEIGHBOURHOODS = {
    "Harbour": (1.25, 2.5),
    "Lakeside": (1.45, 7.0),
    "Mill Hill": (0.95, 4.0),
    "Northfield": (0.80, 9.0),
    "Old Town": (1.30, 1.0),
}


def main() -> None:
    """Write the houses next to this file."""
    rng = np.random.default_rng(1955)
    neighbourhood = rng.choice(list(NEIGHBOURHOODS), size=COUNT, p=[0.15, 0.1, 0.3, 0.25, 0.2])
    level, middle_km = np.array([NEIGHBOURHOODS[name] for name in neighbourhood]).T

    rooms = 1 + rng.binomial(8, 0.38, size=COUNT)
    area_m2 = (16 + 21 * rooms * rng.lognormal(sigma=0.16, size=COUNT)).round(1)
    age = np.minimum(rng.gamma(1.6, 24, size=COUNT), 180).round()
    distance_km = (middle_km * rng.lognormal(sigma=0.3, size=COUNT)).round(1)
    garden = rng.random(COUNT) < np.clip(area_m2 / 200, 0.05, 0.9)

    value = 5200 * level * area_m2**0.85 * (area_m2 / rooms) ** 0.25
    value *= np.exp(-0.0035 * age - 0.03 * distance_km + 0.07 * garden)
    price = value * rng.lognormal(sigma=0.09, size=COUNT)

    houses = pd.DataFrame(
        {
            "rooms": rooms,
            "area_m2": area_m2,
            "age": pd.array(age, dtype="Int64"),
            "distance_km": distance_km,
            "neighbourhood": neighbourhood,
            "garden": garden,
            "price": price.round(-2).astype(int),
        }
    )
    houses.loc[rng.random(COUNT) < UNKNOWN_AGE, "age"] = pd.NA
    houses.to_csv(Path(__file__).with_name("houses.csv"), index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
