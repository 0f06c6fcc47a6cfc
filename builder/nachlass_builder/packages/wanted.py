"""A requirement on its way to uv, and who wants it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from packaging.requirements import Requirement as Pep508
from packaging.utils import canonicalize_name

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import Place
from nachlass_builder.packages.lock import OURS_FOR_KERNEL
from nachlass_builder.requirements.requirement import Requirement


@dataclass(frozen=True)
class Wanted:
    """A requirement as uv gets it, and who wants it: the user, at a place, or we."""

    text: str
    origin: Requirement | None = None

    @property
    def parsed(self) -> Pep508:
        """The requirement's parts."""
        return Pep508(self.text)

    @property
    def is_link(self) -> bool:
        """Whether it names where to fetch it, rather than a version."""
        return self.parsed.url is not None

    @property
    def alone(self) -> str:
        """Name and versions, without extras and markers."""
        return f"{self.parsed.name}{self.parsed.specifier}"

    @property
    def name(self) -> str:
        """The distribution's normalised name."""
        return canonicalize_name(self.parsed.name)

    @property
    def pin(self) -> str | None:
        """The version, when exactly one is wanted."""
        return Requirement(self.text, Place("")).pin

    @property
    def place(self) -> Place | None:
        """Where the user wrote it."""
        return self.origin.place if self.origin else None

    @property
    def whose(self) -> str:
        """Which part of ours needs it."""
        return "the notebook's kernel" if self.text in OURS_FOR_KERNEL else "the service"

    @property
    def applies(self) -> bool:
        """Whether its marker holds here."""
        marker = self.parsed.marker
        return marker is None or marker.evaluate()

    def at(self, version: str) -> Wanted:
        """The same at one version."""
        extras = f"[{','.join(sorted(self.parsed.extras))}]" if self.parsed.extras else ""
        return replace(self, text=f"{self.parsed.name}{extras}=={version}")

    def __str__(self) -> str:
        """The requirement as a message names it, with its place or what needs it."""
        text = redact(self.text, ())
        if self.origin:
            return f"{text} ({self.origin.place})"
        return f"{text} (needed by {self.whose})"
