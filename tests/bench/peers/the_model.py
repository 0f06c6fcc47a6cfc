"""The predictor of the bundle that BUNDLE names, as JSON can carry its answers."""

import os
import sys
from pathlib import Path

import cloudpickle

bundle = Path(os.environ["BUNDLE"])
sys.path.append(str(bundle / "src"))
with (bundle / "model.pickle").open("rb") as file:
    function = cloudpickle.load(file)[1]


def predictor(x):
    prediction = function(x)
    return prediction.item() if hasattr(prediction, "item") else prediction
