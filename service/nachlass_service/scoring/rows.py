"""Scores samples, both of requests and of batch rows.

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
    """Some rows as they were sent, in a batch or in separate requests."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def samples(self) -> list[Any]:
        """Read and return the samples, with an error in the place of each unreadable row."""


class _Rereader:
    """Rows that are read again, once, when an original sample is needed."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._samples: list[Any] | None = None

    def sample(self, place: int) -> Any:
        """Return the sample at a place."""
        if self._samples is None:
            self._samples = self._rows.samples()
        return self._samples[place]


class PredictionList(list[Any]):
    """The predictions for one request that is a list of samples."""


class RowScorer:
    """Scores rows in the caller's thread; a bad row does not affect the others.

    An outcome is a prediction in its JSON form, or an exception of the type `caught`;
    other exceptions are raised.
    """

    def __init__(
        self, model: Model, metrics: Metrics, schema: SampleSchema, caught: type[BaseException]
    ) -> None:
        self._model, self._metrics, self._schema = model, metrics, schema
        self._caught = caught

    def score_one(self, sample: Any, reread: Callable[[], Any]) -> tuple[Any, FeatureBins]:
        """Return the prediction for a sample and the bins of its input; raises on failure.

        For a list of samples, which a listwise model takes, the prediction is a
        PredictionList. `reread` reads the sample again.
        """
        is_list = self._model.takes_as_batch(sample)
        self._schema.check(sample, is_list=is_list)
        inputs = self._metrics.bin_features(sample if is_list else [sample])
        try:
            prediction = self._model.answer(sample)
        except ServiceError as error:
            raise self._schema.explain(error, reread, is_list=is_list) from error.__cause__
        return PredictionList(prediction) if is_list else prediction, inputs

    def score(self, rows: Rows, *, at_once: bool) -> Iterator[tuple[list[Any], list[FeatureBins]]]:
        """Yield outcomes in the order of the rows, each with the bins of its input.

        With `at_once`, one step has all outcomes if one call of the model can score the rows.
        Otherwise the first step is empty, and each row has its own step. Between steps the
        caller may pause or switch to another thread.
        """
        outcomes: list[Any] = []
        inputs: list[FeatureBins] = []
        remaining: Collection[int] = range(len(rows))
        rereader = _Rereader(rows)
        if at_once:
            outcomes, inputs, remaining = self._score_together(rows.samples(), rereader)
            yield ([], []) if remaining else (outcomes, inputs)
        if remaining:
            # Read again, because a model may change its samples.
            for place, sample in enumerate(rows.samples()):
                if place in remaining:
                    yield self._score_alone(sample, partial(rereader.sample, place))
                else:
                    yield [outcomes[place]], [inputs[place]]

    def _score_alone(
        self, sample: Any, reread: Callable[[], Any]
    ) -> tuple[list[Any], list[FeatureBins]]:
        if isinstance(sample, BaseException):
            return [sample], [()]
        try:
            outcome, inputs = self.score_one(sample, reread)
        except InterruptedCallError:
            raise
        except self._caught as error:
            return [error], [()]
        return [outcome], [inputs]

    def _score_together(
        self, samples: Sequence[Any], rereader: _Rereader
    ) -> tuple[list[Any], list[FeatureBins], set[int]]:
        """Return the outcomes, their inputs, and the places of rows to score alone.

        Those are lists of samples, and all valid samples if the model fails, because one
        of them may be the reason.
        """
        outcomes = list(samples)
        inputs: list[FeatureBins] = [()] * len(samples)
        remaining, valid = set(), []
        for place, sample in enumerate(samples):
            if isinstance(sample, BaseException):
                continue
            if self._model.takes_as_batch(sample):
                remaining.add(place)
                continue
            try:
                self._schema.check(sample)
                self._model.validate(sample)
                valid.append(place)
            except InterruptedCallError:
                raise
            except ServiceError as error:
                outcomes[place] = self._schema.explain(error, partial(rereader.sample, place))
            except self._caught as error:
                outcomes[place] = error
        scored = self._predict_together([samples[place] for place in valid])
        if scored is None:
            remaining.update(valid)
        else:
            for place, outcome, bins in zip(valid, *scored, strict=True):
                outcomes[place], inputs[place] = outcome, bins
        return outcomes, inputs, remaining

    def _predict_together(
        self, samples: Sequence[Any]
    ) -> tuple[list[Any], list[FeatureBins]] | None:
        """Return the predictions for valid samples and their bins; None if the model fails.

        A single sample is left to `predict`.
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
