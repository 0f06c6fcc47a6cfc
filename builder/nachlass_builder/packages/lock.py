"""The lock of all packages of a model, with hashes."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import tomli_w
from packaging.utils import canonicalize_name

from nachlass_builder.bundle.layout import SOURCE_FOLDER
from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.packages import pylock
from nachlass_builder.packages.locked_hashes import restrict
from nachlass_builder.requirements.requirement_hashes import Hashed

OURS_FOR_KERNEL = ("ipykernel>=6.29",)
"""Requirements of the notebook's kernel, in addition to the user's."""


@dataclass(frozen=True)
class Lock:
    """Exact versions with hashes, as a PEP 751 file.

    `text` is for the bundle: it has no credentials, and refers to files of the source below
    `src/`. `private_text` is the same with credentials, and must not be stored. `source` is
    the current folder of the source. `notes` are findings of the resolution; a lock that
    was read has none.
    """

    text: str
    private_text: str = field(repr=False)
    source: Path
    notes: tuple[str, ...] = ()

    @classmethod
    def from_pylock(
        cls, text: str, *, folder: Path, source: Path, notes: Sequence[str] = ()
    ) -> Lock:
        """Make a lock from a lock file's text, whose relative paths start at `folder`."""
        settled = pylock.settled(tomllib.loads(text), folder)
        private = pylock.relative_to_source(settled, source)
        public = pylock.without_credentials(private)
        return cls(tomli_w.dumps(public), tomli_w.dumps(private), source, tuple(notes))

    @classmethod
    def read(cls, path: Path) -> Lock:
        """Read the lock of a bundle; raise RequirementsError."""
        try:
            text = path.read_text(encoding="utf-8")
            # Detects a folder without a path now rather than during installation.
            pylock.settled(tomllib.loads(text), path.parent)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
            raise RequirementsError(
                f"the lock cannot be read: {error}", place=Place(str(path))
            ) from None
        return cls(text, text, path.parent / SOURCE_FOLDER)

    def of_source(self, source: Path) -> Lock:
        """Return the same pins with the files and folders of a source as they are now."""
        document = pylock.located(tomllib.loads(self.private_text), source)
        moved = Lock.from_pylock(tomli_w.dumps(document), folder=source, source=source)
        return replace(moved, notes=self.notes)

    @property
    def install_text(self) -> str:
        """The text to install from on this machine, with absolute paths and credentials."""
        return tomli_w.dumps(pylock.located(tomllib.loads(self.private_text), self.source))

    def changed_in(self, source: Path) -> list[str]:
        """Return the names of packages to lock again because their files in the source changed."""
        return list(pylock.changed_in(tomllib.loads(self.text), source))

    @cached_property
    def digest(self) -> str:
        """A digest of the lock's content, independent of order and layout."""
        document = tomllib.loads(self.text)
        document["packages"] = sorted(pylock.packages(document), key=pylock.name_of)
        return hashlib.sha256(tomli_w.dumps(document).encode()).hexdigest()

    @cached_property
    def packages(self) -> tuple[tuple[str, str], ...]:
        """Names and versions; the version of a folder is empty until it is built."""
        return tuple(
            (pylock.name_of(package), str(package.get("version", "")))
            for package in pylock.packages(tomllib.loads(self.text))
        )

    @cached_property
    def built_from_source(self) -> tuple[str, ...]:
        """The names of packages that have no locked wheel and are built on installation."""
        found = pylock.packages(tomllib.loads(self.text))
        return tuple(pylock.name_of(package) for package in found if pylock.is_source(package))

    @cached_property
    def only_here(self) -> tuple[str, ...]:
        """The names of packages locked to files that only this machine has."""
        return tuple(pylock.local_files(tomllib.loads(self.text)))

    @cached_property
    def with_tests(self) -> bool:
        """True if libraries are installed with their tests."""
        return "tests" not in pylock.left_out(tomllib.loads(self.text))

    def without_tests(self) -> Lock:
        """Return the same pins, to be installed without the libraries' tests."""

        def leave_out(text: str) -> str:
            return tomli_w.dumps(pylock.leaving_out(tomllib.loads(text), "tests"))

        return replace(self, text=leave_out(self.text), private_text=leave_out(self.private_text))

    def restricted(self, hashes: Sequence[Hashed]) -> Lock:
        """Keep only the files that have the required hashes, or raise RequirementsError."""
        text, private = (restrict(text, hashes) for text in (self.text, self.private_text))
        return replace(self, text=text, private_text=private)

    def subset(self, names: Collection[str]) -> Lock:
        """Return the same pins for fewer packages."""
        kept_names = {canonicalize_name(name) for name in names}

        def cut(text: str) -> str:
            document = tomllib.loads(text)
            kept = [one for one in pylock.packages(document) if pylock.name_of(one) in kept_names]
            return tomli_w.dumps({**document, "packages": kept})

        return replace(self, text=cut(self.text), private_text=cut(self.private_text))
