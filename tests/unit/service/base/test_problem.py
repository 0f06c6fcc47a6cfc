"""The response body for an error, and the details that only the log has."""

import pytest

from nachlass_service.base.errors import (
    BundleError,
    NotJsonError,
    PredictorError,
    RefusedError,
    SampleSchemaError,
    UnserialisableError,
)
from nachlass_service.base.problem import problem_of, problem_of_row

WORDS = "the secret is 7"


def raised(kind, text):
    error = kind(text)
    error.__cause__ = ValueError(WORDS)
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (raised(PredictorError, f"ValueError: {WORDS}"), "the service's log has the cause"),
        (raised(BundleError, f"ValueError: {WORDS}"), "the service's log has the cause"),
        (raised(UnserialisableError, f"a thing: {WORDS}"), "the service's log has the cause"),
        (
            raised(RefusedError, f"the validator raised {WORDS}"),
            "raised ValueError: only the service's log",
        ),
        (raised(SampleSchemaError, "the sample is a text"), "the sample is a text"),
        (RefusedError("the validator rejected the sample"), "the validator rejected the sample"),
        (UnserialisableError("an object has no JSON form"), "an object has no JSON form"),
        (raised(NotJsonError, "Expecting value"), "Expecting value"),
    ],
)
def test_messages_of_model_exceptions_are_not_sent_to_clients(error, expected):
    for problem in (problem_of(error, "mine"), problem_of_row(error, "mine", 3)):
        assert expected in problem["detail"]
        assert WORDS not in str(problem)
        assert problem["request_id"] == "mine"
