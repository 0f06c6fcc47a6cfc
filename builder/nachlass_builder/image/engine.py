"""Runs podman, buildah or docker, whichever is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from nachlass_builder.foundation.errors import ImageError

PROGRAMS = ("podman", "buildah", "docker")
TIME = 315532800
"""The time of files in images, in seconds since 1970: zip supports no time before 1980.

With the time of the commit, equal layers of two commits would differ.
"""


@dataclass(frozen=True)
class Engine:
    """A program that builds images; its output goes to standard error immediately."""

    program: str

    @classmethod
    def find(cls) -> Engine:
        """Return the first installed engine; raises ImageError."""
        for program in PROGRAMS:
            if shutil.which(program):
                return cls(program)
        raise ImageError(
            "none of podman, buildah and docker is installed",
            remedy="install one, build with s2i, or serve without an image: `nachlass serve`",
        )

    def build(
        self,
        tag: str,
        context: Path,
        file: Path,
        *,
        target: str | None = None,
        arguments: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        secrets: Mapping[str, Path],
        volumes: Sequence[str] = (),
        fresh: bool = False,
        timeless: bool = False,
    ) -> None:
        """Build an image, reusing unchanged layers; raises ImageError.

        `fresh` reuses no layers. A `timeless` image and all files in its layers have the time
        TIME, so that equal files make equal layers; docker does not support this.
        """
        if volumes and self.program == "docker":
            raise ImageError(
                "docker cannot mount volumes during a build",
                remedy="use podman or buildah, or --secret for files",
            )
        words = ["bud", "--layers"] if self.program == "buildah" else ["build"]
        words += ["--tag", tag, "--file", str(file)]
        words += ["--target", target] if target else []
        words += ["--no-cache"] if fresh else []
        words += ["--timestamp", str(TIME)] if timeless and self.program != "docker" else []
        for name, value in (arguments or {}).items():
            words += ["--build-arg", f"{name}={value}"]
        for name, value in (labels or {}).items():
            words += ["--label", f"{name}={value}"]
        for name, path in secrets.items():
            words += ["--secret", f"id={name},src={path}"]
        for volume in volumes:
            words += ["--volume", volume]
        self._run([*words, str(context)], f"the image {tag} was not built")

    def has(self, tag: str) -> bool:
        """Return whether this machine has an image."""
        return self._query([*self._inspect, tag]) is not None

    def size(self, tag: str) -> int | None:
        """Return an image's size in bytes; None if the engine does not report it."""
        if self.program == "buildah":
            return None
        output = self._query([*self._inspect, "--format", "{{.Size}}", tag])
        return int(output) if output and output.isdigit() else None

    def label(self, tag: str, name: str) -> str | None:
        """Return a label of an image; None if it is not set."""
        template = ".OCIv1.Config.Labels" if self.program == "buildah" else ".Config.Labels"
        output = self._query(
            [*self._inspect, "--format", f'{{{{index {template} "{name}"}}}}', tag]
        )
        return output if output and output != "<no value>" else None

    def digest(self, tag: str) -> str | None:
        """Return the digest of an image's manifest in its registry; None if unknown."""
        if self.program == "buildah":
            return self._query([*self._inspect, "--format", "{{.FromImageDigest}}", tag]) or None
        output = self._query([*self._inspect, "--format", "{{json .RepoDigests}}", tag])
        names = json.loads(output or "null") or ()
        # An image may have been pulled from or pushed to several registries.
        pairs = (name.partition("@")[::2] for name in names)
        repository = repository_of(tag)
        return next((d for name, d in pairs if f"/{repository}".endswith(f"/{name}")), None)

    def pull(self, tag: str) -> None:
        """Pull an image from its registry; raises ImageError."""
        self._run(["pull", tag], f"the image {tag} was not pulled")

    def push(self, tag: str) -> str:
        """Push an image to its registry; return its name with its digest. Raises ImageError."""
        failure = f"the image {tag} was not pushed"
        if self.program == "docker":
            self._run(["push", tag], failure)
            digest = self.digest(tag)
            if digest is None:
                raise ImageError(f"docker pushed {tag} but does not report its digest")
        else:
            with TemporaryDirectory(prefix="nachlass-push-") as folder:
                file = Path(folder, "digest")
                self._run(["push", "--digestfile", str(file), tag], failure)
                digest = file.read_text(encoding="utf-8").strip()
        return f"{repository_of(tag)}@{digest}"

    @property
    def _inspect(self) -> list[str]:
        return ["inspect", "--type", "image"] if self.program == "buildah" else ["image", "inspect"]

    def _query(self, words: Sequence[str]) -> str | None:
        """Return the output of a command; None if it fails."""
        completed = subprocess.run(
            [self.program, *words], capture_output=True, encoding="utf-8", check=False
        )
        return completed.stdout.strip() if completed.returncode == 0 else None

    def _run(self, words: Sequence[str], failure: str) -> None:
        """Run a command and show its output."""
        sys.stderr.flush()
        completed = subprocess.run([self.program, *words], stdout=sys.stderr, check=False)
        if completed.returncode:
            raise ImageError(
                f"{failure}: {self.program} exited with {completed.returncode}",
                remedy="see the last lines above",
            )


def repository_of(name: str) -> str:
    """Return an image's name without its tag; the colon of a port does not start a tag."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"
