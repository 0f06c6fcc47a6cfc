"""The functions of the bundle named by BUNDLE; `predictor` returns JSON values."""

import os
import sys
from pathlib import Path

import cloudpickle

bundle = Path(os.environ["BUNDLE"])
sys.path.append(str(bundle / "src"))
with (bundle / "model.pickle").open("rb") as file:
    _validator, function, *batch = cloudpickle.load(file)
batch_predictor = batch[0] if batch else None


def predictor(x):
    prediction = function(x)
    return prediction.item() if hasattr(prediction, "item") else prediction
