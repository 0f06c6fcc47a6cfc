"""The table of import names stays sorted."""

import sys

from packaging.utils import canonicalize_name

from nachlass_builder.requirements.known_distributions import (
    ALTERNATIVES,
    DISTRIBUTIONS,
    OTHER_NAME,
    SAME_NAME,
)


def test_names_are_sorted_and_unique():
    assert sorted(set(SAME_NAME)) == SAME_NAME
    assert sorted(OTHER_NAME) == list(OTHER_NAME)
    assert sorted(ALTERNATIVES) == list(ALTERNATIVES)
    assert not {*SAME_NAME} & OTHER_NAME.keys()


def test_modules_are_not_in_the_standard_library_and_alternatives_are_known():
    assert not DISTRIBUTIONS.keys() & sys.stdlib_module_names
    assert ALTERNATIVES.keys() <= DISTRIBUTIONS.keys()


def test_names_of_distributions_are_normalized():
    others = [name for names in ALTERNATIVES.values() for name in names]
    for name in (*DISTRIBUTIONS.values(), *others):
        assert canonicalize_name(name) == name
