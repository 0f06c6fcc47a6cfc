"""The one path from samples to predictions, of requests and of the rows of batches.

The caller chooses the thread, the length of a turn, and when to count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from nachlass_service.base.errors import InterruptedCallError, ServiceError
from nachlass_service.bundle.model import Model
from nachlass_service.metrics.metrics import FeatureBins, Metrics
from nachlass_service.scoring.sample_schema import SampleSchema


class Rows(Protocol):
    """Some rows as they were sent, in a batch or as requests of their own."""

    def __len__(self) -> int:
        """How many there are."""

    def samples(self) -> list[Any]:
        """The samples, read anew; the error in the place of a row that cannot be read."""


class _Again:
    """Rows that are read anew, once, when it is asked what was sent."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._samples: list[Any] | None = None

    def sample(self, place: int) -> Any:
        """The sample in a place."""
        if self._samples is None:
            self._samples = self._rows.samples()
        return self._samples[place]


class PredictionList(list[Any]):
    """The predictions for one request that is a list of samples."""


class RowScorer:
    """Scores rows in the thread that calls it; a bad row spoils no other.

    An outcome is a prediction as JSON has it, or an exception of the type `caught`;
    other exceptions are raised.
    """

    def __init__(
        self, model: Model, metrics: Metrics, schema: SampleSchema, caught: type[BaseException]
    ) -> None:
        self._model, self._metrics, self._schema = model, metrics, schema
        self._caught = caught

    def score_one(self, sample: Any, again: Callable[[], Any]) -> tuple[Any, FeatureBins]:
        """The prediction for a sample, and the bins of its input; raises whatever fails.

        For a list of samples, which a listwise model takes, that is a PredictionList.
        `again` reads the sample anew.
        """
        is_list = self._model.takes_as_batch(sample)
        self._schema.check(sample, is_list=is_list)
        inputs = self._metrics.bin_features(sample if is_list else [sample])
        try:
            prediction = self._model.answer(sample)
        except ServiceError as error:
            raise self._schema.explain(error, again, is_list=is_list) from error.__cause__
        return PredictionList(prediction) if is_list else prediction, inputs

    def score(self, rows: Rows, *, at_once: bool) -> Iterator[tuple[list[Any], list[FeatureBins]]]:
        """Yield outcomes in the order of the rows, each with the bins of its input.

        With `at_once`, one step has all of them if one call of the model can score them.
        If not, the first step is empty, and each row has a step of its own. Between steps
        the caller may pause, and may change to another thread.
        """
        outcomes: list[Any] = []
        inputs: list[FeatureBins] = []
        left: Collection[int] = range(len(rows))
        again = _Again(rows)
        if at_once:
            outcomes, inputs, left = self._score_together(rows.samples(), again)
            yield ([], []) if left else (outcomes, inputs)
        if left:
            # Read again: the model may have changed the samples that it was given.
            for place, sample in enumerate(rows.samples()):
                if place in left:
                    yield self._score_alone(sample, partial(again.sample, place))
                else:
                    yield [outcomes[place]], [inputs[place]]

    def _score_alone(
        self, sample: Any, again: Callable[[], Any]
    ) -> tuple[list[Any], list[FeatureBins]]:
        if isinstance(sample, BaseException):
            return [sample], [()]
        try:
            outcome, inputs = self.score_one(sample, again)
        except InterruptedCallError:
            raise
        except self._caught as error:
            return [error], [()]
        return [outcome], [inputs]

    def _score_together(
        self, samples: Sequence[Any], again: _Again
    ) -> tuple[list[Any], list[FeatureBins], set[int]]:
        """The outcomes, their inputs, and the places of rows that have to be scored alone.

        Those are lists of samples, and every valid sample if the model fails: one of
        them may be the reason.
        """
        outcomes = list(samples)
        inputs: list[FeatureBins] = [()] * len(samples)
        left, valid = set(), []
        for place, sample in enumerate(samples):
            if isinstance(sample, BaseException):
                continue
            if self._model.takes_as_batch(sample):
                left.add(place)
                continue
            try:
                self._schema.check(sample)
                self._model.validate(sample)
                valid.append(place)
            except InterruptedCallError:
                raise
            except ServiceError as error:
                outcomes[place] = self._schema.explain(error, partial(again.sample, place))
            except self._caught as error:
                outcomes[place] = error
        scored = self._predict_together([samples[place] for place in valid])
        if scored is None:
            left.update(valid)
        else:
            for place, outcome, bins in zip(valid, *scored, strict=True):
                outcomes[place], inputs[place] = outcome, bins
        return outcomes, inputs, left

    def _predict_together(
        self, samples: Sequence[Any]
    ) -> tuple[list[Any], list[FeatureBins]] | None:
        """The predictions for valid samples, and the bins of each; None if the model fails.

        One sample is left to `predict`, as if it had come alone.
        """
        if len(samples) == 1:
            return None
        try:
            inputs = self._metrics.bin_each(samples)
            return self._model.predict_batch(samples) if samples else [], inputs
        except InterruptedCallError:
            raise
        except self._caught:
            return None
