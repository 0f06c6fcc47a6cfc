import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.requirements.requirement import Requirement

PLACE = Place("requirements.txt", line=3)


def test_a_requirement_has_a_text_and_a_location():
    requirement = Requirement.parse(" Zope.Event >=4 ", PLACE)
    assert (requirement.text, requirement.place) == ("Zope.Event >=4", PLACE)
    assert requirement.name == "zope-event"
    assert str(requirement) == "Zope.Event >=4 (requirements.txt, line 3)"


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        ("six==1.16", "1.16"),
        ("six == 1.16 ; python_version > '3'", "1.16"),
        ("six==1.*", None),
        ("six===1.16", None),
        ("six>=1.16", None),
        ("six==1.16,<2", None),
        ("six", None),
        ("six @ https://h.test/six-1.16.zip", None),
    ],
)
def test_a_pin_is_an_exact_version(text, pin):
    assert Requirement(text, PLACE).pin == pin


@pytest.mark.parametrize("text", ["", "my tool", "six>=", "six; a"])
def test_an_invalid_requirement_is_rejected_with_its_remedy(text):
    with pytest.raises(RequirementsError) as caught:
        Requirement.parse(text, PLACE, "write a name")
    assert caught.value.message.startswith(f"{text!r} is not a requirement: Expected ")
    assert len(caught.value.message.splitlines()) == 1
    assert (caught.value.place, caught.value.remedy) == (PLACE, "write a name")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("six=1.16", 'write "six==1.16"'),
        ("a-b.c = 2", 'write "a-b.c==2"'),
        ("six[fast]=1", 'write "six[fast]==1"'),
    ],
)
def test_a_single_equals_sign_is_reported(text, remedy):
    with pytest.raises(RequirementsError) as caught:
        Requirement.parse(text, PLACE, "write a name")
    reason = "a version needs two equals signs"
    assert caught.value.message == f"{text!r} is not a requirement: {reason}"
    assert caught.value.remedy == remedy
