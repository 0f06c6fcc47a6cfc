"""The commands that s2i runs in the builder image.

    python -m nachlass_builder.image.s2i assemble
    python -m nachlass_builder.image.s2i save-artifacts

`assemble` builds the source that s2i copied. It leaves only the bundle and its
environment in the image, the latter where the image's PATH expects it. It works
without a network if no system package is missing and the artifacts of the previous
build are available, which an image keeps if S2I_KEEP_ARTIFACTS is 1.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import click

from nachlass_builder.assemble.build import build
from nachlass_builder.bundle.staging import remove
from nachlass_builder.foundation.console import Group
from nachlass_builder.foundation.errors import SourceError
from nachlass_builder.foundation.git import git
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import (
    KEEP_ARTIFACTS,
    Settings,
    is_index_variable,
    read_environment_file,
    unquote,
)
from nachlass_builder.image.artifacts import Artifacts
from nachlass_builder.image.hooks import keep_pre_run, run_hook
from nachlass_builder.image.injected import injected_environment
from nachlass_builder.image.kept_packages import keep_packages, keep_unpacked
from nachlass_builder.image.labels import keep_labels, model_labels
from nachlass_builder.image.paths import (
    APP_ROOT,
    ARTIFACTS,
    BUNDLE,
    DESTINATION,
    INJECTED,
    SOURCE,
    SYSTEM,
    make_readable,
    place_environment,
    report_sizes,
)
from nachlass_builder.image.variables import keep_variables, public_variables
from nachlass_builder.source.parameters import secrets_among
from nachlass_builder.source.prepare import Request, prepared_source

BASE_VARIABLES = ("GPG_KEY",)
"""Variables of the Python images whose names only sound secret."""
GUNICORN_VARIABLES = frozenset({"PORT", "WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"})
"""Settings of the service without the prefix S2I_."""
RUNTIME_REMEDY = "set it where the image runs if the predictor reads it, or build without s2i"
RESTORED = DESTINATION / "artifacts"
"""The folder where s2i puts the artifacts of the previous build."""


@click.group(cls=Group)
def main() -> None:
    """Run a command for s2i."""


@main.command("save-artifacts")
def save_artifacts() -> None:
    """Write the artifacts for the next build to standard output as a tar archive."""
    Artifacts(ARTIFACTS).save()


@main.command("assemble")
def assemble() -> None:
    """Build the source, and remove files that only the build needed."""
    progress = Progress()
    work = APP_ROOT / ".build"
    try:
        _assemble(work, Artifacts(ARTIFACTS), progress)
    finally:
        for folder in (work, SOURCE, RESTORED):
            remove(folder)


def _assemble(work: Path, artifacts: Artifacts, progress: Progress) -> None:
    """Build, with `work` as the cache."""
    if not SOURCE.is_dir() or not any(SOURCE.iterdir()):
        raise SourceError(
            f"{SOURCE} is empty",
            remedy="use a git repository, or a folder of one, that contains a notebook",
        )
    keeps = _keeps_artifacts()
    _warn_about_credentials(progress)
    artifacts.restore(RESTORED, BUNDLE, progress)
    artifacts.remind(work)
    # Hooks, git and uv inherit these.
    os.environ.update(_build_environment(work, artifacts, progress))
    run_hook(SOURCE, "pre_assemble", progress)
    remove(SYSTEM)
    request = Request(
        str(SOURCE), os.environ, BUNDLE, assignments=_parameters(SOURCE), unpack_into=SYSTEM
    )
    environment = build(request, progress).environment.path
    with progress.step("cleaning up"):
        keep_packages(SOURCE, environment, APP_ROOT, work, progress)
        keep_unpacked(SYSTEM)
        place_environment(environment, shutil.move)
        _write_image_files(request, progress)
        if keeps:
            artifacts.keep(BUNDLE, work, progress)
        else:
            artifacts.remove()
    run_hook(SOURCE, "post_assemble", progress)
    remove(work)
    make_readable(APP_ROOT)
    parts = {"the environment": APP_ROOT / "lib", "the bundle": BUNDLE}
    report_sizes({**parts, "artifacts for the next build": artifacts.folder}, progress)


def _write_image_files(request: Request, progress: Progress) -> None:
    """Write files beside the bundle for an image that copies the model."""
    keep_pre_run(SOURCE, APP_ROOT, progress)
    with prepared_source(request, progress) as prepared:
        keep_labels(APP_ROOT, model_labels(prepared))
        of_service = {
            n: v for n, v in os.environ.items() if n.startswith("S2I_") or n in GUNICORN_VARIABLES
        }
        values = {n: unquote(v) for n, v in {**of_service, **request.assignments}.items()}
        keep_variables(APP_ROOT, public_variables(values, prepared.settings.shipped), progress)


def _keeps_artifacts() -> bool:
    """Return whether S2I_KEEP_ARTIFACTS is set; raises SourceError."""
    value = unquote(os.environ.get(KEEP_ARTIFACTS, "")).strip()
    if value not in ("", "0", "1"):
        raise SourceError(f"{KEEP_ARTIFACTS} is {value!r}", remedy="use 0 or 1")
    return value == "1"


def _warn_about_credentials(progress: Progress) -> None:
    """Warn about variables that are or contain secrets: s2i keeps all variables in the image."""
    for name in _secrets():
        instead = f"mount a file at {INJECTED}" if is_index_variable(name) else RUNTIME_REMEDY
        progress.warn(
            f"{name} looks like a secret, and stays in the configuration and history of the image "
            f"that s2i builds: {instead}; if it is not a secret, name it in S2I_SHIP"
        )


def _build_environment(work: Path, artifacts: Artifacts, progress: Progress) -> dict[str, str]:
    """Return the variables of the build: its folders, and the injected credentials."""
    variables = {
        "S2I_CACHE_DIR": str(work),
        "UV_CACHE_DIR": str(_mounted_cache(progress) or artifacts.uv_cache),
        **injected_environment(INJECTED),
    }
    if "S2I_MODEL_NAME" not in os.environ and (name := _repository_name(SOURCE)):
        variables["S2I_MODEL_NAME"] = name
    return variables


def _mounted_cache(progress: Progress) -> Path | None:
    """Return the download cache that the user mounted, if it is writable."""
    for name, inner in (("UV_CACHE_DIR", ""), ("PIP_CACHE_DIR", "uv")):
        if mounted := os.environ.get(name):
            if os.access(mounted, os.W_OK):
                return Path(mounted, inner)
            progress.warn(f"ignoring {name}: {mounted} is not writable")
    return None


def _parameters(source: Path) -> Mapping[str, str]:
    """Return the parameters: the source's variables, and the secrets of the environment.

    s2i makes all of them variables of the image, and its `-e` takes precedence.
    """
    own = read_environment_file(source)
    return {**_secrets(), **{name: os.environ.get(name, value) for name, value in own.items()}}


def _secrets() -> Mapping[str, str]:
    """Return the variables that look like secrets and are not in S2I_SHIP."""
    shipped = Settings.from_environ(os.environ, {}).shipped
    variables = {name: unquote(value) for name, value in os.environ.items()}
    return secrets_among(variables, (*BASE_VARIABLES, *shipped))


def _repository_name(source: Path) -> str | None:
    """Return the name of the repository that the source was cloned from."""
    url = (
        os.environ.get("OPENSHIFT_BUILD_SOURCE")
        or git(["config", "--get", "remote.origin.url"], source, Deadline()).stdout.strip()
    )
    return url.rstrip("/").rpartition("/")[2].removesuffix(".git") or None


if __name__ == "__main__":
    main()
