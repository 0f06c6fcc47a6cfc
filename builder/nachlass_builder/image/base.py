"""The base image: its name, and its digest once known."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nachlass_builder.image.engine import Engine, repository_of
from nachlass_builder.image.labels import BASE_DIGEST, BASE_NAME


@dataclass(frozen=True)
class Base:
    """A base image; `digest` is None if it is neither given nor resolved."""

    name: str
    digest: str | None = None

    @classmethod
    def named(cls, text: str) -> Base:
        """Parse a base as users write it: `debian:trixie-slim`, `debian@sha256:...`."""
        name, _, digest = text.partition("@")
        return cls(name, digest or None)

    @property
    def reference(self) -> str:
        """The reference to pass to an engine."""
        return f"{repository_of(self.name)}@{self.digest}" if self.digest else self.name

    @property
    def labels(self) -> dict[str, str]:
        """The labels that name the base of an image."""
        return {BASE_NAME: self.name, **({BASE_DIGEST: self.digest} if self.digest else {})}

    def resolved(self, engine: Engine) -> Base:
        """Pull the base if it is missing, and add its digest then; raises ImageError.

        For existing images an engine knows digests, but not whether a registry has them.
        """
        if engine.has(self.reference):
            return self
        engine.pull(self.reference)
        return self if self.digest else replace(self, digest=engine.digest(self.name))
