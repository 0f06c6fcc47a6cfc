"""The location of the source: a folder, a notebook file or a git URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.foundation.git import git
from nachlass_builder.foundation.process import Deadline

WORK_FOLDER = ".nachlass"
BUILD_COMMIT = "OPENSHIFT_BUILD_COMMIT"
"""The variable with the commit in a cluster's build, where the source has no git."""


@dataclass(frozen=True)
class Source:
    """A folder to build from.

    `notebook` is the one the user named by passing a file; `origin` the cloned git URL,
    without credentials; `commit` and `dirty` come from git and are None without git;
    `excluded` names folders that are not part of it, `shipped` files to ship although they
    look like secrets.
    """

    root: Path
    origin: str | None = None
    notebook: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    excluded: frozenset[str] = frozenset()
    shipped: tuple[str, ...] = ()

    @property
    def temporary(self) -> bool:
        """True for a clone, which the build removes."""
        return self.origin is not None

    def without(self, path: Path) -> Source:
        """Exclude `path`, and the temporary folders beside it, from the source."""
        if not path.parent.resolve().is_relative_to(self.root):
            return self
        folder = path.parent.resolve().relative_to(self.root)
        siblings = (f".{path.name}.{suffix}" for suffix in ("making", "before", "served"))
        names = (path.name, *siblings)
        return replace(self, excluded=frozenset((folder / name).as_posix() for name in names))


def is_git_url(source: str) -> bool:
    """Return whether SOURCE has to be cloned: a URL, or git's `user@host:path`."""
    return bool(re.match(r"(https?|ssh|git|file)://|git\+|[\w.-]+@[\w.-]+:", source))


def locate_source(
    source: str,
    context_dir: str | None,
    clones: Path,
    environ: Mapping[str, str],
    deadline: Deadline,
) -> Source:
    """Find the folder to build from; a git URL is cloned below `clones`.

    Without git, `environ` may contain the commit.
    """
    if is_git_url(source):
        return _clone(source.removeprefix("git+"), context_dir, clones, deadline)
    path = Path(source).resolve()
    if not path.exists():
        raise SourceError(
            f"{source} does not exist", remedy="name a folder, a notebook file or a git URL"
        )
    if path.is_dir():
        root = _context(path, context_dir)
        return Source(root, None, None, *_state(root, environ, deadline))
    top = git(["rev-parse", "--show-toplevel"], path.parent, deadline).stdout.strip()
    root = _context(Path(top) if top else path.parent, context_dir)
    if not path.is_relative_to(root):
        raise SourceError(f"{source} is not inside {context_dir}")
    notebook = path.relative_to(root).as_posix()
    return Source(root, None, notebook, *_state(root, environ, deadline))


def without_credentials(url: str) -> str:
    """Remove the credentials from a git URL; ssh's `git@` stays."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", url) if url.startswith("http") else url


def describe(source: Source, deadline: Deadline) -> str | None:
    """Return `git describe` of the commit, with `-dirty` if files differ; None without git."""
    described = git(["describe", "--always", "--tags"], source.root, deadline).stdout.strip()
    described = described or (source.commit or "")[:7]
    return f"{described}-dirty" if described and source.dirty else described or None


def commit_time(source: Source, notebook: str, deadline: Deadline) -> str:
    """Return the time of the last commit that changed the notebook, as ISO 8601."""
    if git(["rev-parse", "--is-shallow-repository"], source.root, deadline).stdout == "true\n":
        git(["fetch", "--quiet", "--unshallow", "origin"], source.root, deadline)
    log = git(["log", "-1", "--format=%cI", "--", notebook], source.root, deadline)
    if not log.stdout.strip():
        raise SourceError(
            f"S2I_RESOLVE_AS_OF=commit, but {notebook} is not in any git commit",
            remedy="commit it, or set a date such as 2026-01-31",
        )
    return log.stdout.strip()


def _clone(url: str, context_dir: str | None, clones: Path, deadline: Deadline) -> Source:
    """Clone one commit of a git URL; `#ref` names a branch, a tag or a commit."""
    address, _, ref = url.partition("#")
    if ref.startswith("-"):
        raise SourceError(f"{ref!r} is not a branch, tag or commit")
    shown = without_credentials(address)
    name = PurePosixPath(address.rstrip("/")).name.removesuffix(".git")
    folder = clones / ("source" if name in ("", ".", "..") else name)
    folder.mkdir(parents=True)
    commands = [
        ["init", "--quiet"],
        ["remote", "add", "origin", "--", address],
        ["fetch", "--quiet", "--depth=1", "origin", ref or "HEAD"],
        ["checkout", "--quiet", "FETCH_HEAD"],
        ["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"],
    ]
    if re.fullmatch(r"[0-9a-f]{7,40}", ref):
        # Not every server can fetch a commit by its hash.
        commands[2:4] = [["fetch", "--quiet", "--tags", "origin"], ["checkout", "--quiet", ref]]
    for command in commands:
        completed = git(command, folder, deadline)
        if completed.status != 0:
            message = completed.stderr.replace(address, shown).strip()
            raise SourceError(
                f"git cannot fetch {ref or 'the default branch'} from {shown}",
                details=message or None,
                remedy="check the URL, and the branch, tag or commit after #",
            )
    root = _context(folder, context_dir)
    commit = git(["rev-parse", "HEAD"], root, deadline).stdout.strip() or None
    origin = f"{shown}#{ref}" if ref else shown
    return Source(root, origin, commit=commit, dirty=False)


def _context(folder: Path, context_dir: str | None) -> Path:
    """Return the subfolder to build, which must be inside."""
    root = (folder / (context_dir or ".").lstrip("/")).resolve()
    if not root.is_dir() or not root.is_relative_to(folder.resolve()):
        raise SourceError(f"--context-dir {context_dir}: no such folder in the source")
    return root


def _state(
    root: Path, environ: Mapping[str, str], deadline: Deadline
) -> tuple[str | None, bool | None]:
    """Return the commit, and whether files differ from it; without git, OpenShift's commit."""
    commit = git(["rev-parse", "--verify", "HEAD"], root, deadline)
    if commit.status != 0:
        return environ.get(BUILD_COMMIT) or None, None
    status = git(["status", "--porcelain", "--", "."], root, deadline)
    return commit.stdout.strip(), bool(status.stdout.strip())
