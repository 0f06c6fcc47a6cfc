"""Builds a container image from a source, without s2i.

Several stages, so that what has not changed is not made again: the one with the
serving environment depends on the lock alone, the image adds the bundle to it,
and environments are kept in a cache that is mounted. image_stages.py runs in them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder import __version__
from nachlass_builder.bundle.layout import SERVING_LOCK
from nachlass_builder.foundation.errors import ImageError
from nachlass_builder.foundation.keyed_digest import keyed_digest
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import VARIABLES
from nachlass_builder.image.engine import Engine
from nachlass_builder.image.hooks import HOOKS
from nachlass_builder.image.injected import PARAMETERS
from nachlass_builder.image.lent import (
    given_parameters,
    lent_files,
    lent_parameters,
    private_file,
)
from nachlass_builder.image.paths import APP_ROOT, CACHE, INJECTED, MADE, SOURCE
from nachlass_builder.packages.pip_settings import WHEELHOUSE
from nachlass_builder.packages.service_wheel import OURS, PACKAGE, service_source
from nachlass_builder.source.prepare import Prepared, Request, prepared_source
from nachlass_builder.source.source import BUILD_COMMIT
from nachlass_builder.source.source_files import copy_source

HOME = "/opt/nachlass"
"""The builder's own environment in its image."""
LENT = "NACHLASS_LENT"
"""A variable of the stage that builds: it tells whether what is lent has changed."""
OF_IMAGES = {"S2I_MODEL_NAME", "S2I_MODEL_PATH", "S2I_CACHE_DIR", "S2I_KEEP_ARTIFACTS"}
"""Settings that an image has its own of."""
BASE_LABEL = "io.github.nachlass.base"


@dataclass(frozen=True)
class ImageRequest:
    """What the command line asks for."""

    source: Request
    tag: str
    builder: str | None = None
    base: str | None = None
    push: bool = False
    secrets: tuple[Path, ...] = ()
    volumes: tuple[str, ...] = ()


def build_image(request: ImageRequest, progress: Progress) -> str:
    """Build the image and return its tag; raises ImageError."""
    engine = Engine.find()
    with (
        prepared_source(request.source, progress) as prepared,
        tempfile.TemporaryDirectory(prefix="nachlass-image-") as temporary,
    ):
        work = Path(temporary)
        secrets = lent_files(request.secrets, prepared.environ, work)
        if lent := lent_parameters(prepared, request.source.assignments):
            secrets[PARAMETERS] = private_file(work / PARAMETERS, json.dumps(lent))
            progress.note(
                f"lent to the build, and in no image: {', '.join(lent)}; "
                "what the predictor reads is to be set again where the image runs"
            )
        builder, runtime = _images(engine, request, work / "project", secrets, progress)
        progress.note(f"with the builder {builder} and the runtime {runtime}")
        with progress.step(f"building {request.tag}"):
            context = work / "context"
            files = copy_source(prepared.source, context / "src", prepared.deadline).files
            if (prepared.source.root / HOOKS).is_dir():
                shutil.copytree(prepared.source.root / HOOKS, context / "src" / HOOKS)
            files.report(progress)
            file = work / "Dockerfile"
            file.write_text(
                _dockerfile(prepared, request, builder, runtime, list(secrets)), encoding="utf-8"
            )
            engine.build(
                request.tag,
                context,
                file,
                arguments={},
                secrets=secrets,
                volumes=request.volumes,
                fresh=request.source.force,
            )
        _tell_size(engine, request.tag, runtime, progress)
        if request.push:
            with progress.step(f"pushing {request.tag}"):
                engine.push(request.tag)
    return request.tag


def _dockerfile(
    prepared: Prepared, request: ImageRequest, builder: str, runtime: str, secrets: Sequence[str]
) -> str:
    """The stages; see the module."""
    source, settings = prepared.source, prepared.settings
    mounts = [f"type=secret,id={s},target={INJECTED}/{s},uid=1001" for s in secrets]
    home = f"type=bind,from={builder},source={HOME},target={HOME}"
    mounts.append(f"type=cache,id=nachlass,target={CACHE},uid=1001,gid=0,mode=0775")
    python = f"{HOME}/bin/python -m nachlass_builder.image.image_stages"
    given = given_parameters(prepared, request.source.assignments)
    lent = lent_parameters(prepared, request.source.assignments)
    public = {name: value for name, value in given.items() if name not in lent}
    # A value that has changed makes the model again, and is in no layer, nor a digest of it.
    values = [word for pair in sorted(lent.items()) for word in pair]
    changed = [f"ENV {LENT}={keyed_digest(settings.cache, values)}"] if lent else []
    variables = [f"ENV {name}={_quoted(value)}" for name, value in sorted(public.items())]
    name = settings.model_name or source.root.name
    # What this machine's environment asks of a build, it asks of this one.
    steering = {v.name: prepared.environ.get(v.name) for v in VARIABLES if v.name not in OF_IMAGES}
    known = [f"ENV {n}={_quoted(v)}" for n, v in steering.items() if v and n not in given]
    known += [f"ENV S2I_MODEL_NAME={_quoted(name)}"]
    known += [f"ENV {BUILD_COMMIT}={source.commit}"] if source.commit else []
    copy = "COPY --chown=1001:0"
    wheels = f"src/{WHEELHOUSE}"
    has_wheels = (source.root / WHEELHOUSE).is_dir()
    lines = [
        f"FROM {builder} AS model",
        *variables,
        *known,
        *changed,
        f"{copy} src {SOURCE}",
        f"RUN {_mounted(mounts)} {python} model{' --force' if request.source.force else ''}",
        f"FROM {runtime} AS environment",
        f"{copy} --from=model {MADE}/{SERVING_LOCK} {APP_ROOT}/",
        *([f"{copy} {wheels} {APP_ROOT}/{wheels}"] if has_wheels else []),
        f"RUN {_mounted([*mounts, home])} {python} environment",
        "FROM environment",
        *variables,
        f"{copy} --from=model {MADE.parent}/ {APP_ROOT}/",
        f"LABEL org.opencontainers.image.title={_quoted(name)}",
        *([f"LABEL org.opencontainers.image.revision={source.commit}"] if source.commit else []),
    ]
    return "\n".join(lines) + "\n"


def _mounted(mounts: Sequence[str]) -> str:
    """The options of RUN for what is mounted."""
    return " ".join(f"--mount={mount}" for mount in mounts)


def _images(
    engine: Engine,
    request: ImageRequest,
    context: Path,
    secrets: Mapping[str, Path],
    progress: Progress,
) -> tuple[str, str]:
    """The builder and the runtime; made from our own Containerfile where they are not there."""
    base = request.base
    if request.builder:
        if not engine.has(request.builder):
            raise ImageError(
                f"there is no image {request.builder}",
                remedy=f"{engine.program} pull {request.builder}, or leave --builder out",
            )
        base = base or engine.label(request.builder, BASE_LABEL)
    _copy_project(context)
    arguments = {"VERSION": __version__, **({"BASE": base} if base else {})}
    digest = _digest(context, base or "")
    made = {}
    for target in ("runtime",) if request.builder else ("runtime", "builder"):
        made[target] = f"localhost/nachlass-{target}:{__version__}-{digest}"
        if engine.has(made[target]):
            continue
        with progress.step(f"making the {target} image, once"):
            engine.build(
                made[target],
                context,
                context / "Containerfile",
                target=target,
                arguments=arguments,
                # What a base lacks is installed by its own package manager, which needs none.
                secrets=secrets if target == "builder" else {},
            )
    return request.builder or made["builder"], made["runtime"]


def _copy_project(context: Path) -> None:
    """Lay out what the Containerfile copies: from a checkout, or from our own wheel."""
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


def _tell_size(engine: Engine, tag: str, runtime: str, progress: Progress) -> None:
    """Say what the image is made of."""
    whole, base = engine.size(tag), engine.size(runtime)
    if whole and base:
        progress.note(f"{tag}: {whole / 1e6:.0f} MB, {base / 1e6:.0f} of them the runtime")


def _quoted(value: str) -> str:
    """A value as Dockerfiles take it, without expansion."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\n", "\\\n") + '"'


def _digest(context: Path, base: str) -> str:
    """A digest of what the images are made from."""
    digest = hashlib.sha256(base.encode())
    for path in sorted(context.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(context)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
