"""KServe's Python server with a custom model."""

import kserve


class Model(kserve.Model):
    def __init__(self):
        super().__init__("m")
        self.ready = True

    def predict(self, payload, headers=None):
        # Imported here: with several workers the model itself is pickled.
        from the_model import predictor

        return {"predictions": [predictor(sample) for sample in payload["instances"]]}


if __name__ == "__main__":
    kserve.ModelServer().start([Model()])
