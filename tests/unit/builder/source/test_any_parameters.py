"""Credentials in parameters are never shown."""

from urllib.parse import quote

from hypothesis import example, given
from hypothesis import strategies as st

from nachlass_builder.foundation.credentials import HIDDEN, public_url, secrets_in
from nachlass_builder.foundation.settings import VARIABLES
from nachlass_builder.source.parameters import shown_parameters

LETTERS = st.text("abcXYZ019", min_size=8, max_size=12)
AROUND = st.text(st.sampled_from("ab :/@'\"\n*=&?é"), max_size=8)
PASSWORDS = st.text(st.sampled_from("abXY01!$&*+,;=:@/#%é "), min_size=1).map(
    lambda text: f"hunter2{text}"
)


@given(secret=LETTERS, other=LETTERS, before=AROUND, after=AROUND)
def test_a_known_secret_is_never_shown(secret, other, before, after):
    given = {"BUCKETS": f"{before}{secret}{after}{other}{secret}", "OTHER": secret}
    shown = shown_parameters(given, {secret, other})
    assert shown.keys() == given.keys()
    assert not [text for text in shown.values() if secret in text or other in text]


@given(password=PASSWORDS, user=st.sampled_from(["joe", "", "a%40b"]), around=AROUND)
@example(password="hunter2:@/", user="joe", around="")
def test_a_password_in_a_url_is_never_shown(password, user, around):
    encoded = quote(password, safe="")
    url = f"https://{user}:{encoded}@x.example/simple"
    shown = shown_parameters({"SOURCE_URL": f"{around}{url} and {url}"}, ())
    assert "hunter2" not in shown["SOURCE_URL"]
    assert public_url(url) == "https://x.example/simple"
    known = secrets_in([url], {})
    assert {encoded, password} <= known


@given(value=st.text(max_size=20))
def test_a_parameter_named_secret_is_always_hidden(value):
    shown = shown_parameters({"API_TOKEN": value, "DB_PASSWORD": value}, ())
    assert {*shown.values()} == {HIDDEN if value else ""}


@given(value=st.text(st.characters(exclude_characters=":=?&;@.-_ ", codec="ascii"), max_size=11))
def test_a_value_without_credentials_is_shown_unchanged(value):
    settings = {variable.name: value for variable in VARIABLES}
    assert shown_parameters({"BUCKETS": value, **settings}, ()) == {"BUCKETS": value}
