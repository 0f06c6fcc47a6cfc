"""What images are based on: an image's name, and its digest once that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nachlass_builder.image.engine import Engine, repository_of
from nachlass_builder.image.labels import BASE_DIGEST, BASE_NAME


@dataclass(frozen=True)
class Base:
    """A base; `digest` is None where nobody has said, or resolved, which of its name it is."""

    name: str
    digest: str | None = None

    @classmethod
    def named(cls, text: str) -> Base:
        """A base as a user names it: `debian:trixie-slim`, `debian@sha256:...`."""
        name, _, digest = text.partition("@")
        return cls(name, digest or None)

    @property
    def reference(self) -> str:
        """What an engine is asked for."""
        return f"{repository_of(self.name)}@{self.digest}" if self.digest else self.name

    @property
    def labels(self) -> dict[str, str]:
        """What an image says of its base."""
        return {BASE_NAME: self.name, **({BASE_DIGEST: self.digest} if self.digest else {})}

    def resolved(self, engine: Engine) -> Base:
        """The base that this machine has, or pulls: then with its digest; raises ImageError.

        Of an image that was there an engine knows digests, but not whether a registry has it.
        """
        if engine.has(self.reference):
            return self
        engine.pull(self.reference)
        return self if self.digest else replace(self, digest=engine.digest(self.name))
