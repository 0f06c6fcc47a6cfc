"""Any variable, assignment and environment file is read, or rejected with its name."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.foundation.settings import (
    ENVIRONMENT_FILE,
    VARIABLES,
    Settings,
    parse_assignments,
    read_environment_file,
    unquote,
)
from support.properties import may_refuse
from support.quoted import UNQUOTED

BUILD = [variable.name for variable in VARIABLES]
NAMES = st.sampled_from(["A", "BUCKETS", "S2I_CELL_TIMEOUT", "PIP_INDEX_URL", "ä", "with blank"])
TEXTS = st.text(st.sampled_from("ab01 \t='\"#\\$,;:.-_é€\ufeff\x00\u2028\n\r"), max_size=12)
# Lines end at every line boundary of Python, not only at \n.
VALUES = TEXTS.map(lambda text: "".join(text.splitlines()).strip())


@given(assigned=st.lists(st.tuples(NAMES, TEXTS), max_size=4))
def test_assignments_are_split_at_the_first_equals_sign(assigned):
    words = [f" {name} ={value}" for name, value in assigned]
    assert parse_assignments(words) == dict(assigned)


@given(words=st.lists(st.one_of(TEXTS, st.text(max_size=5)), max_size=3))
def test_any_assignment_is_accepted_or_rejected(words):
    with may_refuse(SourceError):
        assert all(name.strip() == name != "" for name in parse_assignments(words))


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    root = tmp_path_factory.mktemp("source")
    (root / ENVIRONMENT_FILE).parent.mkdir()

    def read(text):
        (root / ENVIRONMENT_FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
        return read_environment_file(root)

    return read


@given(
    assigned=st.lists(
        st.tuples(st.sampled_from(["", "\n", "# A=1\n", "  \n\t# why\n"]), NAMES, VALUES),
        max_size=4,
    ),
    blank=st.sampled_from(["", " ", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_an_environment_file_is_read_in_any_layout(read, assigned, blank, end, mark):
    text = "".join(
        f"{noise}{blank}{name}{blank}={blank}{value}{blank}\n" for noise, name, value in assigned
    )
    assert read(mark + text.replace("\n", end)) == {name: value for _, name, value in assigned}


@given(text=st.one_of(TEXTS, st.text(max_size=20)))
def test_any_environment_file_is_read_or_rejected_with_a_line(read, text):
    try:
        found = read(text)
    except SourceError as error:
        place = error.place
        line = text.removeprefix("\ufeff").splitlines()[place.line - 1] if place.line else ""
        assert "=" not in line.strip()[1:]
        return
    assert all(name.strip() == name != "" for name in found)


@pytest.mark.parametrize(("value", "meant"), UNQUOTED.items())
def test_quotes_around_a_value_are_removed(value, meant):
    assert unquote(value) == meant


@given(value=st.text(max_size=8), quote=st.sampled_from("'\""))
def test_one_pair_of_quotes_is_removed(value, quote):
    assert unquote(f"{quote}{value}{quote}") == value
    assert unquote(f"{quote}{value}x") == f"{quote}{value}x"
    assert unquote(f"'{value}\"") == f"'{value}\""


@given(
    variables=st.dictionaries(
        st.sampled_from(BUILD),
        st.one_of(
            TEXTS, st.sampled_from(["1", "nan", "-1", "1e400", "'2'", "\uff12", "inf", "label"])
        ),
        max_size=4,
    )
)
def test_any_variable_is_accepted_or_rejected_by_name(variables):
    with may_refuse(SourceError):
        try:
            settings = Settings.from_environ({"HOME": "/home", **variables}, {})
        except SourceError as error:
            assert any(name in error.message for name in variables)  # noqa: PT017 - all say so
            raise
        for limit in (settings.cell_timeout_s, settings.build_timeout_s):
            assert limit is None or 0 < limit < float("inf")
        assert settings.samples is None or settings.samples.isidentifier()


@given(
    text=st.one_of(
        st.dates().map(date.isoformat),
        st.dates().map("{:%Y%m%d}".format),
        st.text("0123456789-W", min_size=7, max_size=10),
    )
)
@example("2026-W05-1")
@example("20260131")
def test_a_date_has_the_form_that_uv_accepts(text):
    try:
        is_date = date(*map(int, text.split("-"))).isoformat() == text
    except (OverflowError, TypeError, ValueError):
        is_date = False
    if is_date:
        assert Settings.from_environ({"S2I_RESOLVE_AS_OF": text}, {}).resolve_as_of == text
        return
    with pytest.raises(SourceError, match="S2I_RESOLVE_AS_OF is "):
        Settings.from_environ({"S2I_RESOLVE_AS_OF": text}, {})


@given(
    names=st.lists(st.sampled_from(["numpy", "Zope.Event", "a_b"]), max_size=4),
    joint=st.sampled_from([",", " ", ", ", " ,\t", "\n"]),
    quote=st.sampled_from(["", "'", '"']),
)
def test_names_are_separated_by_commas_or_spaces(names, joint, quote):
    text = f"{quote}{joint.join(names)}{quote}"
    settings = Settings.from_environ({"S2I_SERVING_REQUIREMENTS": text}, {})
    spelled = {"numpy": "numpy", "Zope.Event": "zope-event", "a_b": "a-b"}
    assert settings.serving_requirements == tuple(spelled[name] for name in names)
