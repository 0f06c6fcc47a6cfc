"""Builds the builder and runtime images from the project's Containerfile if they are missing."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nachlass_builder import __version__
from nachlass_builder.foundation.errors import ImageError
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.image.base import Base
from nachlass_builder.image.engine import Engine
from nachlass_builder.image.labels import BASE_DIGEST, BASE_NAME
from nachlass_builder.packages.service_wheel import OURS, PACKAGE, service_source


@dataclass(frozen=True)
class ProjectImages:
    """The names of the builder and runtime images, and the runtime's base."""

    builder: str
    runtime: str
    base: Base


def project_images(
    engine: Engine,
    builder: str | None,
    base: str | None,
    context: Path,
    secrets: Mapping[str, Path],
    progress: Progress,
) -> ProjectImages:
    """Return the images for a build, which are built only once; raises ImageError.

    `builder` is an existing builder image, `base` the base image; `context` is a new folder.
    """
    if builder and not engine.has(builder):
        raise ImageError(
            f"there is no image {builder}",
            remedy=f"run `{engine.program} pull {builder}`, or omit --builder",
        )
    _copy_project(context)
    if base:
        chosen = Base.named(base)
    else:  # the runtime needs the builder's Python
        chosen = (builder and _base_of(engine, builder)) or _default_base(context / "Containerfile")
    made = {}
    for target in ("runtime",) if builder else ("runtime", "builder"):
        made[target] = f"localhost/nachlass-{target}:{__version__}-{_digest(context, chosen)}"
        if engine.has(made[target]):
            continue
        with progress.step(f"building the {target} image, once"):
            exact = chosen.resolved(engine)
            engine.build(
                made[target],
                context,
                context / "Containerfile",
                target=target,
                arguments={"VERSION": __version__, "BASE": exact.reference},
                labels=exact.labels,
                # The runtime needs only the base's package manager, which uses no secrets.
                secrets=secrets if target == "builder" else {},
                timeless=target == "runtime",
            )
    base_of_runtime = _base_of(engine, made["runtime"]) or chosen
    return ProjectImages(builder or made["builder"], made["runtime"], base_of_runtime)


def _default_base(containerfile: Path) -> Base:
    """Return the default base of the Containerfile."""
    lines = containerfile.read_text(encoding="utf-8").splitlines()
    return Base(next(line.partition("=")[2] for line in lines if line.startswith("ARG BASE=")))


def _base_of(engine: Engine, image: str) -> Base | None:
    """Return the base that an image's labels name."""
    name, digest = (engine.label(image, label) for label in (BASE_NAME, BASE_DIGEST))
    base = Base.named(name or "")
    return replace(base, digest=digest or base.digest) if name else None


def _copy_project(context: Path) -> None:
    """Lay out the files that the Containerfile copies, from a checkout or the installed wheel."""
    carried = OURS / "image_files"
    root = carried if carried.is_dir() else OURS.parent.parent
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", "image_files", "service")
    context.mkdir()
    for name in ("Containerfile", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(root / name, context / name)
    shutil.copytree(root / "s2i", context / "s2i", ignore=shutil.ignore_patterns("openshift"))
    for script in (*context.glob("s2i/bin/*"), context / "s2i/install-packages"):
        script.chmod(0o755)
    shutil.copytree(OURS, context / "builder" / OURS.name, ignore=ignored)
    service = service_source()
    (context / "service").mkdir()
    shutil.copyfile(service / "pyproject.toml", context / "service/pyproject.toml")
    shutil.copytree(service / PACKAGE, context / "service" / PACKAGE, ignore=ignored)


def _digest(context: Path, base: Base) -> str:
    """Return a digest of the images' inputs."""
    digest = hashlib.sha256(base.reference.encode())
    for path in sorted(context.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(context)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
