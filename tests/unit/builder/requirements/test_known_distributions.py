"""The table of import names is in order, whoever adds to it."""

import sys

from packaging.utils import canonicalize_name

from nachlass_builder.requirements.known_distributions import (
    ALTERNATIVES,
    DISTRIBUTIONS,
    OTHER_NAME,
    SAME_NAME,
)


def test_names_are_sorted_and_there_once():
    assert sorted(set(SAME_NAME)) == SAME_NAME
    assert sorted(OTHER_NAME) == list(OTHER_NAME)
    assert sorted(ALTERNATIVES) == list(ALTERNATIVES)
    assert not {*SAME_NAME} & OTHER_NAME.keys()


def test_modules_are_no_part_of_python_and_alternatives_are_of_known_ones():
    assert not DISTRIBUTIONS.keys() & sys.stdlib_module_names
    assert ALTERNATIVES.keys() <= DISTRIBUTIONS.keys()


def test_distributions_are_spelt_as_requirements_are_compared():
    others = [name for names in ALTERNATIVES.values() for name in names]
    for name in (*DISTRIBUTIONS.values(), *others):
        assert canonicalize_name(name) == name
