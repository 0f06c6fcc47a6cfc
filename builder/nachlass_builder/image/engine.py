"""Talks to podman, buildah or docker, whichever is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.foundation.errors import ImageError

PROGRAMS = ("podman", "buildah", "docker")


@dataclass(frozen=True)
class Engine:
    """A program that builds images; what it says goes to standard error as it comes."""

    program: str

    @classmethod
    def find(cls) -> Engine:
        """The first that is installed; raises ImageError."""
        for program in PROGRAMS:
            if shutil.which(program):
                return cls(program)
        raise ImageError(
            "there is neither podman nor buildah nor docker",
            remedy="install one, or build with s2i, or serve without an image: `nachlass serve`",
        )

    def build(
        self,
        tag: str,
        context: Path,
        file: Path,
        *,
        target: str | None = None,
        arguments: Mapping[str, str],
        secrets: Mapping[str, Path],
        volumes: Sequence[str] = (),
        fresh: bool = False,
    ) -> None:
        """Build an image, layer by layer so that unchanged ones are kept; raises ImageError.

        With `fresh` none is kept.
        """
        if volumes and self.program == "docker":
            raise ImageError(
                "docker mounts no volumes while it builds",
                remedy="use podman or buildah, or --secret for files",
            )
        words = ["bud", "--layers"] if self.program == "buildah" else ["build"]
        words += ["--tag", tag, "--file", str(file)]
        words += ["--target", target] if target else []
        words += ["--no-cache"] if fresh else []
        for name, value in arguments.items():
            words += ["--build-arg", f"{name}={value}"]
        for name, path in secrets.items():
            words += ["--secret", f"id={name},src={path}"]
        for volume in volumes:
            words += ["--volume", volume]
        self._run([*words, str(context)], f"the image {tag} was not built")

    def has(self, tag: str) -> bool:
        """Whether an image is there."""
        return self._ask([*self._inspect, tag]) is not None

    def size(self, tag: str) -> int | None:
        """An image's bytes; None where the engine does not say."""
        if self.program == "buildah":
            return None
        said = self._ask([*self._inspect, "--format", "{{.Size}}", tag])
        return int(said) if said and said.isdigit() else None

    def label(self, tag: str, name: str) -> str | None:
        """A label of an image; None when it has none."""
        where = ".OCIv1.Config.Labels" if self.program == "buildah" else ".Config.Labels"
        said = self._ask([*self._inspect, "--format", f'{{{{index {where} "{name}"}}}}', tag])
        return said if said and said != "<no value>" else None

    def push(self, tag: str) -> None:
        """Push an image to its registry; raises ImageError."""
        self._run(["push", tag], f"the image {tag} was not pushed")

    @property
    def _inspect(self) -> list[str]:
        return ["inspect", "--type", "image"] if self.program == "buildah" else ["image", "inspect"]

    def _ask(self, words: Sequence[str]) -> str | None:
        """What a command answers; None when it fails."""
        done = subprocess.run(
            [self.program, *words], capture_output=True, encoding="utf-8", check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None

    def _run(self, words: Sequence[str], failure: str) -> None:
        """Run a command that people watch."""
        sys.stderr.flush()
        done = subprocess.run([self.program, *words], stdout=sys.stderr, check=False)
        if done.returncode:
            raise ImageError(
                f"{failure}: {self.program} ended with {done.returncode}",
                remedy="the last lines above say why",
            )
