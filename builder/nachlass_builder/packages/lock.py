"""One hashed lock of everything a model needs."""

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
"""What the notebook's kernel needs beside the user's requirements."""


@dataclass(frozen=True)
class Lock:
    """Exact versions with hashes, as a PEP 751 file.

    `text` is for the bundle: it has no credentials, and names files of the
    source below `src/`. `private_text` is the same with credentials, and must
    not be kept. `source` is the folder that the source is in now. `notes` are what
    was found out while resolving; a lock that was read has none.
    """

    text: str
    private_text: str = field(repr=False)
    source: Path
    notes: tuple[str, ...] = ()

    @classmethod
    def from_pylock(
        cls, text: str, *, folder: Path, source: Path, notes: Sequence[str] = ()
    ) -> Lock:
        """Take over a lock file's text; its relative paths start at `folder`."""
        settled = pylock.settled(tomllib.loads(text), folder)
        private = pylock.relative_to_source(settled, source)
        public = pylock.without_credentials(private)
        return cls(tomli_w.dumps(public), tomli_w.dumps(private), source, tuple(notes))

    @classmethod
    def read(cls, path: Path) -> Lock:
        """Read the lock of a bundle; raises RequirementsError."""
        try:
            text = path.read_text(encoding="utf-8")
            # A folder without a path is found here, and not only when it is installed.
            pylock.settled(tomllib.loads(text), path.parent)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
            raise RequirementsError(
                f"the lock cannot be read: {error}", place=Place(str(path))
            ) from None
        return cls(text, text, path.parent / SOURCE_FOLDER)

    def of_source(self, source: Path) -> Lock:
        """The same pins, with the files and folders of a source as they are there now."""
        document = pylock.located(tomllib.loads(self.private_text), source)
        moved = Lock.from_pylock(tomli_w.dumps(document), folder=source, source=source)
        return replace(moved, notes=self.notes)

    @property
    def install_text(self) -> str:
        """What is installed from, on this machine: absolute paths, and credentials."""
        return tomli_w.dumps(pylock.located(tomllib.loads(self.private_text), self.source))

    def changed_in(self, source: Path) -> list[str]:
        """The names of packages that have to be locked again, because the source has others."""
        return list(pylock.changed_in(tomllib.loads(self.text), source))

    @cached_property
    def digest(self) -> str:
        """What the lock says, whatever the order and layout it says it in."""
        document = tomllib.loads(self.text)
        document["packages"] = sorted(pylock.packages(document), key=pylock.name_of)
        return hashlib.sha256(tomli_w.dumps(document).encode()).hexdigest()

    @cached_property
    def packages(self) -> tuple[tuple[str, str], ...]:
        """Names and versions; the version of a folder is empty, it is known once built."""
        return tuple(
            (pylock.name_of(package), str(package.get("version", "")))
            for package in pylock.packages(tomllib.loads(self.text))
        )

    @cached_property
    def built_from_source(self) -> tuple[str, ...]:
        """The names of packages that installing builds: no wheel of them is locked."""
        found = pylock.packages(tomllib.loads(self.text))
        return tuple(pylock.name_of(package) for package in found if pylock.is_source(package))

    @cached_property
    def only_here(self) -> tuple[str, ...]:
        """The names of packages locked to files of this machine, which others do not have."""
        return tuple(pylock.local_files(tomllib.loads(self.text)))

    @cached_property
    def with_tests(self) -> bool:
        """Whether libraries are installed with their tests."""
        return "tests" not in pylock.left_out(tomllib.loads(self.text))

    def without_tests(self) -> Lock:
        """The same pins, and no tests of libraries where they are installed."""

        def leave_out(text: str) -> str:
            return tomli_w.dumps(pylock.leaving_out(tomllib.loads(text), "tests"))

        return replace(self, text=leave_out(self.text), private_text=leave_out(self.private_text))

    def restricted(self, hashes: Sequence[Hashed]) -> Lock:
        """The lock with only the files that have the demanded hashes, or RequirementsError."""
        text, private = (restrict(text, hashes) for text in (self.text, self.private_text))
        return replace(self, text=text, private_text=private)

    def subset(self, names: Collection[str]) -> Lock:
        """The same pins for fewer packages."""
        wanted = {canonicalize_name(name) for name in names}

        def cut(text: str) -> str:
            document = tomllib.loads(text)
            kept = [one for one in pylock.packages(document) if pylock.name_of(one) in wanted]
            return tomli_w.dumps({**document, "packages": kept})

        return replace(self, text=cut(self.text), private_text=cut(self.private_text))
