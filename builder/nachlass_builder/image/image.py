"""Builds a container image from a source without s2i."""

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
from nachlass_builder.image.build_mounts import (
    given_parameters,
    mounted_files,
    private_file,
    private_parameters,
)
from nachlass_builder.image.dockerfile import Stages
from nachlass_builder.image.engine import Engine
from nachlass_builder.image.hooks import HOOKS
from nachlass_builder.image.injected import PARAMETERS
from nachlass_builder.image.labels import model_labels
from nachlass_builder.image.paths import PACKAGES, PUBLIC, write_readable
from nachlass_builder.image.project_images import project_images
from nachlass_builder.image.variables import IMAGE_VARIABLES, keep_variables, public_variables
from nachlass_builder.packages.pip_settings import WHEELHOUSE
from nachlass_builder.source.prepare import Prepared, Request, prepared_source
from nachlass_builder.source.source import BUILD_COMMIT
from nachlass_builder.source.source_files import copy_source
from nachlass_builder.source.source_time import EPOCH
from nachlass_builder.system.apt_txt import AptPackage, read_apt_txt

PRIVATE_DIGEST = "NACHLASS_LENT"
"""A variable of the build stage: a digest that detects changed private parameters."""


@dataclass(frozen=True)
class ImageRequest:
    """The options of the command line."""

    source: Request
    tag: str
    builder: str | None = None
    base: str | None = None
    push: bool = False
    secrets: tuple[Path, ...] = ()
    volumes: tuple[str, ...] = ()


def build_image(request: ImageRequest, progress: Progress) -> str:
    """Build an image; raises ImageError.

    Return its tag, or after a push its name with the registry's digest.
    """
    engine = Engine.find()
    with (
        prepared_source(request.source, progress) as prepared,
        tempfile.TemporaryDirectory(prefix="nachlass-image-") as temporary,
    ):
        work, shipped = Path(temporary), prepared.settings.shipped
        parameters = given_parameters(prepared, request.source.assignments)
        private, public = (
            private_parameters(parameters, shipped),
            public_variables(parameters, shipped),
        )
        packages = read_apt_txt(prepared.source.root)
        secrets = mounted_files(request.secrets, prepared.environ, work)
        if private:
            secrets[PARAMETERS] = private_file(work / PARAMETERS, json.dumps(private))
            progress.note(
                f"mounted during the build, and in no image: {', '.join(private)}; "
                "if the predictor reads them, set them again where the image runs"
            )
        images = project_images(
            engine, request.builder, request.base, work / "project", secrets, progress
        )
        progress.note(f"using the builder {images.builder} and the runtime {images.runtime}")
        with progress.step(f"building {request.tag}"):
            context, file = work / "context", work / "Dockerfile"
            _lay_out(context, prepared, public, packages, progress)
            stages = Stages(
                images.builder,
                images.runtime,
                _variables(prepared, private),
                sorted(secrets),
                images.base.labels,
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
        _report_size(engine, request.tag, images.runtime, progress)
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
    """Write the files that the Dockerfile copies."""
    files = copy_source(prepared.source, context / "src", prepared.deadline).files
    if (prepared.source.root / HOOKS).is_dir():
        shutil.copytree(prepared.source.root / HOOKS, context / "src" / HOOKS)
    files.report(progress)
    write_readable(context / PUBLIC.name, json.dumps(public))
    if packages:
        write_readable(context / PACKAGES, "".join(f"{package}\n" for package in packages))
    (context / "app").mkdir()
    (context / "app").chmod(0o755)
    keep_variables(context / "app", public, progress)


def _variables(prepared: Prepared, private: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the build stage other than the parameters."""
    # The settings in this machine's environment apply to this build, too.
    steering = {
        v.name: prepared.environ.get(v.name) for v in VARIABLES if v.name not in IMAGE_VARIABLES
    }
    variables = {name: value for name, value in steering.items() if value}
    variables["S2I_MODEL_NAME"] = prepared.model_name
    variables[EPOCH] = str(int(prepared.time.timestamp()))
    if prepared.source.commit:
        variables[BUILD_COMMIT] = prepared.source.commit
    if private:
        # A changed value rebuilds the model; layers have neither the value nor a plain digest.
        values = [word for pair in sorted(private.items()) for word in pair]
        variables[PRIVATE_DIGEST] = keyed_digest(prepared.settings.cache, values)
    return variables


def _report_size(engine: Engine, tag: str, runtime: str, progress: Progress) -> None:
    """Print the sizes of the image and the runtime."""
    total, base = engine.size(tag), engine.size(runtime)
    if total and base:
        progress.note(f"{tag}: {total / 1e6:.0f} MB, including {base / 1e6:.0f} MB of the runtime")
