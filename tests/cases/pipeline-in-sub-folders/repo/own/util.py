import os

import cloudpickle


def serialize_to(stage, default):
    with open(os.environ.get("S2I_PIPELINE_STAGE_SAVE_FILE", default), "wb") as file:
        cloudpickle.dump(stage, file)
