"""Any values of the service's variables are accepted or rejected by name."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nachlass_service.base.errors import SettingError
from nachlass_service.base.settings import VARIABLES, Settings, unquote
from support.properties import may_refuse
from support.quoted import UNQUOTED

NAMES = st.sampled_from([variable.name for variable in VARIABLES])
TEXTS = st.one_of(
    st.text(max_size=5),
    st.text(st.sampled_from("0123456789.-+e_ '\"\u0663"), max_size=6),
    st.sampled_from(["nan", "inf", "-0", "1e400", "text", "json", "x:y", "9" * 20, "'1'"]),
)


@given(variables=st.dictionaries(NAMES, TEXTS, max_size=3))
@example({"PORT": "65536"})
@example({"S2I_PREDICT_TIMEOUT": "nan"})
def test_any_variable_is_accepted_or_rejected_by_name(variables):
    with may_refuse(SettingError):
        try:
            settings = Settings.from_environ(variables)
        except SettingError as error:
            if not any(str(error).startswith(f"{name} is ") for name in variables):
                raise AssertionError(variables) from error
            raise
        assert 0 <= settings.port <= 65535
        assert settings.workers is None or 1 <= settings.workers <= 128
        assert 0 <= settings.input_metrics_rate <= 1
        for seconds in (settings.predict_timeout_s, settings.slow_request_s):
            assert 0 < seconds <= 10_000_000


@pytest.mark.parametrize(("value", "meant"), UNQUOTED.items())
def test_quotes_around_a_value_are_removed(value, meant):
    assert unquote(value) == meant


@given(variables=st.dictionaries(NAMES, TEXTS, max_size=3), quote=st.sampled_from("'\""))
def test_a_quoted_value_means_the_same_as_an_unquoted_one(variables, quote):
    quoted = {name: f" {quote}{value}{quote} " for name, value in variables.items()}
    plain = {name: f"{quote}{value.strip()}{quote}" for name, value in variables.items()}
    assert {name: unquote(value) for name, value in quoted.items()} == variables
    assert outcome(quoted) == outcome(plain)


def outcome(variables):
    try:
        return Settings.from_environ(variables)
    except SettingError as error:
        return str(error)
