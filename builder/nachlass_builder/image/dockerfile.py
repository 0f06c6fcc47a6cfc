"""Writes the Dockerfile of `nachlass image`.

It has several stages, so that unchanged parts are reused: the stage of the serving
environment depends only on the lock, the image adds the bundle's source and the rest
of the bundle, and environments are kept in a mounted cache. image_stages.py runs in
the stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nachlass_builder.bundle.layout import SERVING_LOCK
from nachlass_builder.image.paths import (
    APP_ROOT,
    CACHE,
    DESTINATION,
    INJECTED,
    MADE,
    MADE_SOURCE,
    PACKAGES,
    PUBLIC,
    SOURCE,
)
from nachlass_builder.packages.pip_settings import WHEELHOUSE

HOME = "/opt/nachlass"
"""The builder's own environment in its image."""
INSTALL = "RUN /usr/libexec/nachlass/install-packages listed"
PYTHON = f"{HOME}/bin/python -m nachlass_builder.image.image_stages"


@dataclass(frozen=True)
class Stages:
    """The inputs of the stages.

    `variables` are those of the build, `secrets` the names of files to mount; `base_labels`
    name the runtime's base, `labels` are the model's. The context has the source in `src`,
    files to put beside the bundle in `app`, the public parameters in a file, and with
    `has_packages` the system packages of `apt.txt` in another file.
    """

    builder: str
    runtime: str
    variables: Mapping[str, str]
    secrets: Sequence[str]
    base_labels: Mapping[str, str]
    labels: Mapping[str, str]
    has_packages: bool
    has_wheels: bool
    force: bool

    def dockerfile(self) -> str:
        """Return the Dockerfile."""
        copy, wheels = "COPY --chown=0:0", f"src/{WHEELHOUSE}"
        home = f"type=bind,from={self.builder},source={HOME},target={HOME}"
        lines = [
            f"FROM {self.builder} AS model",
            *(_as_root(f"COPY {PACKAGES} {APP_ROOT}/", INSTALL) if self.has_packages else []),
            *(f"ENV {name}={_quoted(value)}" for name, value in self.variables.items()),
            f"COPY {PUBLIC.name} {PUBLIC}",
            f"COPY --chown=1001:0 src {SOURCE}",
            f"RUN {self._mounts()} {PYTHON} model{' --force' if self.force else ''}",
            f"FROM {self.runtime} AS environment",
            # Without it an engine reuses this stage of an equal base, with the labels of that one.
            _labels(self.base_labels),
            *_as_root(
                f"{copy} --from=model {MADE.parent}/{PACKAGES} {APP_ROOT}/",
                INSTALL,
                f"{copy} --from=model {MADE}/{SERVING_LOCK} {APP_ROOT}/",
                *([f"{copy} {wheels} {APP_ROOT}/{wheels}"] if self.has_wheels else []),
                f"RUN {self._mounts(home)} {PYTHON} environment",
            ),
            "FROM environment",
            f"{copy} app {APP_ROOT}",
            f"{copy} --from=model {MADE_SOURCE}/ {APP_ROOT}/",
            f"{copy} --from=model {MADE.parent}/ {APP_ROOT}/",
            _labels(self.labels),
            f"RUN --mount=type=tmpfs,target={DESTINATION} {self._mounts(home)} {PYTHON} prove",
        ]
        return "\n".join(lines) + "\n"

    def _mounts(self, *more: str) -> str:
        """Return the mount options of RUN."""
        mounts = [f"type=secret,id={s},target={INJECTED}/{s},uid=1001" for s in self.secrets]
        mounts.append(f"type=cache,id=nachlass,target={CACHE},uid=1001,gid=0,mode=0775")
        return " ".join(f"--mount={mount}" for mount in (*mounts, *more))


def _as_root(*lines: str) -> list[str]:
    return ["USER 0", *lines, "USER 1001"]


def _labels(labels: Mapping[str, str]) -> str:
    return " ".join(["LABEL", *(f"{name}={_quoted(value)}" for name, value in labels.items())])


def _quoted(value: str) -> str:
    """Quote a value for a Dockerfile, without expansion."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\n", "\\\n") + '"'
