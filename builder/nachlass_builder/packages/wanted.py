"""A requirement as passed to uv, and its origin."""

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
    """A requirement as passed to uv; without an `origin` it is ours, not the user's."""

    text: str
    origin: Requirement | None = None

    @property
    def parsed(self) -> Pep508:
        """The requirement's parts."""
        return Pep508(self.text)

    @property
    def is_link(self) -> bool:
        """True if it is a link rather than a version."""
        return self.parsed.url is not None

    @property
    def name_and_versions(self) -> str:
        """Name and versions, without extras and markers."""
        return f"{self.parsed.name}{self.parsed.specifier}"

    @property
    def name(self) -> str:
        """The distribution's normalised name."""
        return canonicalize_name(self.parsed.name)

    @property
    def pin(self) -> str | None:
        """The version, if exactly one is allowed."""
        return Requirement(self.text, Place("")).pin

    @property
    def place(self) -> Place | None:
        """The place where the user wrote it."""
        return self.origin.place if self.origin else None

    @property
    def needed_by(self) -> str:
        """The part of Nachlass that needs it."""
        return "the notebook's kernel" if self.text in OURS_FOR_KERNEL else "the service"

    @property
    def applies(self) -> bool:
        """True if its marker applies here."""
        marker = self.parsed.marker
        return marker is None or marker.evaluate()

    def at(self, version: str) -> Wanted:
        """Return the same requirement pinned to a version."""
        extras = f"[{','.join(sorted(self.parsed.extras))}]" if self.parsed.extras else ""
        return replace(self, text=f"{self.parsed.name}{extras}=={version}")

    def __str__(self) -> str:
        """The requirement as messages name it, with its place or the part that needs it."""
        text = redact(self.text, ())
        if self.origin:
            return f"{text} ({self.origin.place})"
        return f"{text} (needed by {self.needed_by})"
