"""Builds a container image from a source, without s2i."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.foundation.keyed_digest import keyed_digest
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import VARIABLES
from nachlass_builder.image.dockerfile import Stages
from nachlass_builder.image.engine import Engine
from nachlass_builder.image.hooks import HOOKS
from nachlass_builder.image.injected import PARAMETERS
from nachlass_builder.image.labels import model_labels
from nachlass_builder.image.lent import (
    given_parameters,
    lent_files,
    lent_parameters,
    private_file,
)
from nachlass_builder.image.paths import PACKAGES, PUBLIC, write_for_all
from nachlass_builder.image.project_images import project_images
from nachlass_builder.image.variables import OF_IMAGES, keep_variables, public_variables
from nachlass_builder.packages.pip_settings import WHEELHOUSE
from nachlass_builder.source.prepare import Prepared, Request, prepared_source
from nachlass_builder.source.source import BUILD_COMMIT
from nachlass_builder.source.source_files import copy_source
from nachlass_builder.source.source_time import EPOCH
from nachlass_builder.system.apt_txt import AptPackage, read_apt_txt

LENT = "NACHLASS_LENT"
"""A variable of the stage that builds: it tells whether what is lent has changed."""


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
    """Build the image; raises ImageError.

    Returns its tag, or when it is pushed its name with the digest that the registry has.
    """
    engine = Engine.find()
    with (
        prepared_source(request.source, progress) as prepared,
        tempfile.TemporaryDirectory(prefix="nachlass-image-") as temporary,
    ):
        work, shipped = Path(temporary), prepared.settings.shipped
        given = given_parameters(prepared, request.source.assignments)
        lent, public = lent_parameters(given, shipped), public_variables(given, shipped)
        packages = read_apt_txt(prepared.source.root)
        secrets = lent_files(request.secrets, prepared.environ, work)
        if lent:
            secrets[PARAMETERS] = private_file(work / PARAMETERS, json.dumps(lent))
            progress.note(
                f"lent to the build, and in no image: {', '.join(lent)}; "
                "what the predictor reads is to be set again where the image runs"
            )
        images = project_images(
            engine, request.builder, request.base, work / "project", secrets, progress
        )
        progress.note(f"with the builder {images.builder} and the runtime {images.runtime}")
        with progress.step(f"building {request.tag}"):
            context, file = work / "context", work / "Dockerfile"
            _lay_out(context, prepared, public, packages, progress)
            stages = Stages(
                images.builder,
                images.runtime,
                _variables(prepared, lent),
                sorted(secrets),
                model_labels(prepared),
                has_packages=bool(packages),
                has_wheels=(prepared.source.root / WHEELHOUSE).is_dir(),
                force=request.source.force,
            )
            file.write_text(stages.dockerfile(), encoding="utf-8")
            engine.build(
                request.tag,
                context,
                file,
                secrets=secrets,
                volumes=request.volumes,
                fresh=request.source.force,
                timeless=True,
            )
        _tell_size(engine, request.tag, images.runtime, progress)
        if not request.push:
            return request.tag
        with progress.step(f"pushing {request.tag}"):
            return engine.push(request.tag)


def _lay_out(
    context: Path,
    prepared: Prepared,
    public: Mapping[str, str],
    packages: Sequence[AptPackage],
    progress: Progress,
) -> None:
    """Write what the Dockerfile copies."""
    files = copy_source(prepared.source, context / "src", prepared.deadline).files
    if (prepared.source.root / HOOKS).is_dir():
        shutil.copytree(prepared.source.root / HOOKS, context / "src" / HOOKS)
    files.report(progress)
    write_for_all(context / PUBLIC.name, json.dumps(public))
    if packages:
        write_for_all(context / PACKAGES, "".join(f"{package}\n" for package in packages))
    (context / "app").mkdir()
    (context / "app").chmod(0o755)
    keep_variables(context / "app", public, progress)


def _variables(prepared: Prepared, lent: Mapping[str, str]) -> dict[str, str]:
    """The variables of the stage that builds, beside the parameters."""
    # What this machine's environment asks of a build, it asks of this one.
    steering = {v.name: prepared.environ.get(v.name) for v in VARIABLES if v.name not in OF_IMAGES}
    variables = {name: value for name, value in steering.items() if value}
    variables["S2I_MODEL_NAME"] = prepared.model_name
    variables[EPOCH] = str(int(prepared.time.timestamp()))
    if prepared.source.commit:
        variables[BUILD_COMMIT] = prepared.source.commit
    if lent:
        # A value that has changed makes the model again, and is in no layer, nor a digest of it.
        values = [word for pair in sorted(lent.items()) for word in pair]
        variables[LENT] = keyed_digest(prepared.settings.cache, values)
    return variables


def _tell_size(engine: Engine, tag: str, runtime: str, progress: Progress) -> None:
    """Say what the image is made of."""
    whole, base = engine.size(tag), engine.size(runtime)
    if whole and base:
        progress.note(f"{tag}: {whole / 1e6:.0f} MB, {base / 1e6:.0f} of them the runtime")
