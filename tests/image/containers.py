"""Makes and runs images with buildah and podman, without a registry."""

import hashlib
import http.client
import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import PROJECT
from filelock import FileLock

from served import free_port

BASE = "localhost/nachlass-test-debian:bookworm"
INGREDIENTS = (
    "Containerfile",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "builder",
    "service",
    "s2i",
)
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "host"
[engine]
runtime = "runc"
"""


REQUESTS = {
    "housing": {
        "rooms": 4,
        "area_m2": 96.5,
        "age": 31,
        "distance_km": 3.2,
        "neighbourhood": "Old Town",
        "garden": True,
    },
    "spam": ["win a prize now", "it is a truth universally acknowledged"],
}
ANSWERS = {
    "housing": lambda answer: isinstance(answer, float),
    "spam": lambda answer: len(answer) == 2 and set(answer) <= {"spam", "legitimate"},
}


def check_example(running, name):
    """The container answers a request of an example."""
    status, prediction = running.predict(REQUESTS[name])
    assert status == 200, prediction
    assert ANSWERS[name](prediction), prediction


def environment_of(source):
    """The variables of a source's `.s2i/environment`, which s2i sets in the image."""
    file = source / ".s2i/environment"
    lines = file.read_text().splitlines() if file.is_file() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)


class Engine:
    """buildah and podman, with a configuration of the tests' own."""

    def __init__(self, folder):
        self.folder = folder
        conf = folder / "containers.conf"
        conf.write_text(CONTAINERS_CONF)
        self.environ = {
            **os.environ,
            "CONTAINERS_CONF": str(conf),
            "BUILDAH_ISOLATION": "chroot",
        }

    def run(self, *words, check=True, **options):
        done = subprocess.run(
            list(map(str, words)),
            env=self.environ,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            **options,
        )
        said = f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
        assert not check or done.returncode == 0, f"{words}\n{said}"
        return done

    def build(self, tag, context, *words, check=True, pip=True):
        """Build an image; `pip` lets it reach an index that a CA of the machine's own signs."""
        bundle = os.environ.get("PIP_CERT") if pip else None
        trust = ["-v", f"{bundle}:/etc/ssl/certs/ca-certificates.crt:ro"] if bundle else []
        return self.run(
            *("buildah", "bud", "--network=host", "-t", tag),
            *trust,
            *words,
            context,
            check=check,
        )

    def has(self, tag):
        return self.run("podman", "image", "exists", tag, check=False).returncode == 0

    def inspect(self, tag):
        [found] = json.loads(self.run("podman", "image", "inspect", tag).stdout)
        return found

    def remove(self, *tags):
        """Remove images, and the layers that only they had and that no build is using."""
        for tag in tags:
            self.run("podman", "rmi", tag, check=False)

    def base(self):
        """Debian without Python, from its package archive."""
        with FileLock(self.folder / "base.lock"):
            if not self.has(BASE):
                rootfs = self.folder / "rootfs"
                self.run("debootstrap", "--variant=minbase", "bookworm", rootfs)
                archive = self.folder / "rootfs.tar"
                self.run("tar", "-C", rootfs, "-cf", archive, ".")
                self.run("podman", "import", archive, BASE)
                shutil.rmtree(rootfs)
                archive.unlink()
        return BASE

    def project_image(self, target):
        """The `builder` or `runtime` of the Containerfile, made once for each state of it."""
        tag = f"localhost/nachlass-test-{target}:{_digest()[:16]}"
        base = self.base()
        with FileLock(self.folder / "project.lock"):
            if not self.has(tag):
                self.forget(f"localhost/nachlass-test-{target}")
                layers = ("--layers", "--build-arg", f"BASE={base}")
                # What a base image lacks is installed while no file of its own is hidden.
                self.build(f"{tag}-base", PROJECT, *layers, "--target", "runtime", pip=False)
                self.build(tag, PROJECT, *layers, "--target", target)
        return tag

    def not_the_groups(self, tag):
        """What an arbitrary user of the group 0 could not write to."""
        writable = ("find", "/opt/app-root", "-xdev", "(", "!", "-gid", "0", "-o")
        writable += ("!", "-type", "l", "!", "-perm", "-g=w", ")")
        return self.run("podman", "run", "--rm", "--pull=never", tag, *writable).stdout

    def forget(self, name):
        """Remove the images of an earlier state of the project."""
        listed = self.run("podman", "images", "--format", "{{.Repository}}:{{.Tag}}", name)
        self.remove(*listed.stdout.split())

    @contextmanager
    def container(self, tag, *words, environment=None, command=()):
        """A running container that is ready to answer."""
        port = free_port()
        variables = [f"-e{k}={v}" for k, v in {"PORT": port, **(environment or {})}.items()]
        started = self.run("podman", "run", "-d", "--pull=never", *variables, *words, tag, *command)
        running = Container(self, started.stdout.strip(), port)
        try:
            running.wait()
            yield running
        finally:
            self.run("podman", "rm", "-f", "-t", "0", running.id)


@dataclass
class Container:
    """A container that serves on a port of this machine."""

    engine: Engine
    id: str
    port: int

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            with connection.getresponse() as response:
                return response.status, response.read().decode()
        finally:
            connection.close()

    def predict(self, sample):
        status, body = self.ask("POST", "/predict", json.dumps(sample))
        return status, json.loads(body)

    def wait(self, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            state = self.engine.run("podman", "inspect", self.id, "--format", "{{.State.Status}}")
            assert state.stdout.strip() == "running", self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def log(self):
        done = self.engine.run("podman", "logs", self.id, check=False)
        return done.stdout + done.stderr

    def stop(self):
        """Stop it as a platform does: its exit code, and the seconds it took."""
        started = time.monotonic()
        self.engine.run("podman", "stop", "-t", "20", self.id)
        seconds = time.monotonic() - started
        code = self.engine.run("podman", "inspect", self.id, "--format", "{{.State.ExitCode}}")
        return int(code.stdout), seconds


def s2i_dockerfile(builder, *, environment=None, injected=None, cached=None):
    """The Dockerfile that `s2i build --as-dockerfile` writes for a builder without labels to read.

    `injected` maps folders of the context to places in the image; `cached` is
    the image of the build before.
    """
    lines = []
    if cached:
        save = "/usr/libexec/s2i/save-artifacts"
        lines += [
            f"FROM {cached} as cached",
            "USER 1001",
            (
                f"RUN if [ -s {save} ]; then {save} > /tmp/artifacts.tar; "
                "else touch /tmp/artifacts.tar; fi"
            ),
        ]
    lines += [f"FROM {builder}", 'LABEL "io.k8s.display-name"="app"']
    lines += [f'ENV {name}="{value}"' for name, value in (environment or {}).items()]
    lines += ["COPY --chown=1001:0 upload/src /tmp/src"]
    for folder, place in (injected or {}).items():
        lines.append(f"COPY --chown=1001:0 upload/injections/{folder} {place}")
    if cached:
        lines += [
            "COPY --chown=1001:0 --from=cached /tmp/artifacts.tar /tmp/artifacts.tar",
            "USER 1001",
            (
                "RUN mkdir -p /tmp/artifacts && tar -xf /tmp/artifacts.tar -C /tmp/artifacts"
                " && rm /tmp/artifacts.tar"
            ),
        ]
    lines += ["USER 1001", "RUN /usr/libexec/s2i/assemble"]
    for folder, place in (injected or {}).items():
        lines.append(f"RUN rm -r {place}/* {place}/.[a-z]* || true # {folder}")
    lines += ["CMD /usr/libexec/s2i/run"]
    return "\n".join(lines) + "\n"


def context_of(folder, source, dockerfile, injections=None):
    """A build context as s2i lays it out: the source, what is injected, the Dockerfile."""
    shutil.copytree(
        source, folder / "upload/src", symlinks=True, ignore=shutil.ignore_patterns(".nachlass")
    )
    for name, files in (injections or {}).items():
        for file, text in files.items():
            path = folder / "upload/injections" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (folder / "Dockerfile").write_text(dockerfile)
    return folder


def _digest():
    """A digest of what goes into the images."""
    digest = hashlib.sha256()
    for name in INGREDIENTS:
        path = PROJECT / name
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{Path(file).relative_to(PROJECT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()
