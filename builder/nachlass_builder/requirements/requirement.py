"""A requirement and its place in the source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from packaging.requirements import Requirement as Pep508
from packaging.utils import canonicalize_name

from nachlass_builder.foundation.errors import Place, RequirementsError

ONE_EQUALS_SIGN = re.compile(r"([\w.-]+(?:\[[^]]*\])?)\s*=\s*(\d\S*)")


@dataclass(frozen=True)
class Requirement:
    """A PEP 508 requirement such as `numpy==1.26`, and its place."""

    text: str
    place: Place

    @classmethod
    def parse(cls, text: str, place: Place, remedy: str | None = None) -> Requirement:
        """Parse the text of a requirement, or raise RequirementsError."""
        text = text.strip()
        try:
            urlsplit(Pep508(text).url or "")
        except ValueError as error:  # of packaging, or of a URL
            message = str(error).splitlines()[0]
            if match := ONE_EQUALS_SIGN.fullmatch(text):
                message = "a version needs two equals signs"
                remedy = f'write "{match[1]}=={match[2]}"'
            raise RequirementsError(
                f"{text!r} is not a requirement: {message}", place=place, remedy=remedy
            ) from None
        return cls(text, place)

    @property
    def parsed(self) -> Pep508:
        """The requirement's parts."""
        return Pep508(self.text)

    @property
    def name(self) -> str:
        """The distribution's normalised name."""
        return canonicalize_name(self.parsed.name)

    @property
    def pin(self) -> str | None:
        """The version if the requirement allows exactly one (`==1.26`), else None."""
        specifiers = list(self.parsed.specifier)
        if len(specifiers) != 1 or specifiers[0].operator != "==":
            return None
        version = specifiers[0].version
        return None if version.endswith(".*") else version

    def __str__(self) -> str:
        return f"{self.text} ({self.place})"
