"""Builds and runs images with buildah and podman, without a registry."""

import http.client
import json
import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from filelock import FileLock

from support.cells import write_notebook
from support.command import NACHLASS
from support.project import PROJECT
from support.served import free_port

BASE = "localhost/nachlass-test-debian:trixie"
RUN_PREFIX = "localhost/nachlass-test/"
"""The name prefix of images that are kept until the next test run."""
SMALL = """\
# %%
requirements = ["six"]
import os
# %%
def predictor(x):
    return os.environ.get(x)
# %%
samples = ["LANG"]
"""
SMALLEST = "# %%\ndef predictor(x):\n    return [x]\nsamples = [1]\n"
DOWNLOADS = "/var/cache/downloads"
"""The folder in s2i builds for downloads that all tests share."""
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "host"
[engine]
runtime = "runc"
"""

needs_containers = [
    pytest.mark.only_all("it builds images"),
    pytest.mark.needs_room(15),
    *(
        pytest.mark.needs(program, "make test-all")
        for program in ("buildah", "podman", "runc", "debootstrap", "unshare")
    ),
]


def environment_of(source):
    """Return the variables of a source's `.s2i/environment`, which s2i sets in the image."""
    file = source / ".s2i/environment"
    lines = file.read_text().splitlines() if file.is_file() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)


class Engine:
    """buildah and podman with the tests' configuration."""

    def __init__(self, folder):
        self.folder = folder
        self.downloads = folder / "downloads"
        self.downloads.mkdir(exist_ok=True)
        self.downloads.chmod(0o777)  # also for the builder's user
        self.downloads_mount = ("-v", f"{self.downloads}:{DOWNLOADS}")
        ca_bundle = os.environ.get("PIP_CERT")
        trusted_path = "/etc/ssl/certs/ca-certificates.crt"
        self.trust = ("-v", f"{ca_bundle}:{trusted_path}:ro") if ca_bundle else ()
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
        output = f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
        assert not check or done.returncode == 0, f"{words}\n{output}"
        return done

    def build(self, tag, context, *words, check=True):
        """Build an image with access to an index under the machine's own CA."""
        return self.run(
            *("buildah", "bud", "--network=host", "-t", tag),
            *self.trust,
            *words,
            context,
            check=check,
        )

    def has(self, tag):
        return self.run("podman", "image", "exists", tag, check=False).returncode == 0

    def inspect(self, tag):
        [found] = json.loads(self.run("podman", "image", "inspect", tag).stdout)
        return found

    def named(self, pattern):
        """Return the images whose repository matches."""
        words = ("--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={pattern}")
        return self.run("podman", "images", *words).stdout.split()

    def remove(self, *tags):
        """Remove images and the layers that only they use."""
        for tag in tags:
            self.run("podman", "rmi", tag, check=False)

    def contains(self, tag, base, text):
        """Return whether an image contains a text, in a layer above its base or in its metadata."""
        output = self.run("podman", "image", "inspect", tag).stdout
        output += self.run("podman", "history", "--no-trunc", tag).stdout
        layers = self.layers(tag) - self.layers(base)
        assert layers
        found = self.run("grep", "-r", "-q", "-a", "-F", "-e", text, *layers, check=False)
        assert found.returncode in (0, 1), found.stderr
        return text in output or found.returncode == 0

    def layers(self, tag):
        """Return the folders of an image's layers."""
        data = self.inspect(tag)["GraphDriver"]["Data"]
        return {data["UpperDir"], *filter(None, data.get("LowerDir", "").split(":"))}

    def base(self):
        """Create the base image: Debian without Python, from its package archive."""
        with FileLock(self.folder / "base.lock"):
            if not self.has(BASE):
                rootfs = self.folder / "rootfs"
                self.run("debootstrap", "--variant=minbase", "trixie", rootfs)
                archive = self.folder / "rootfs.tar"
                self.run("tar", "-C", rootfs, "-cf", archive, ".")
                self.run("podman", "import", archive, BASE)
                shutil.rmtree(rootfs)
                archive.unlink()
        return BASE

    def nachlass_image(self, source, tag, *words, environ):
        """Run `nachlass image` with podman in the tests' configuration."""
        return subprocess.run(
            list(map(str, [NACHLASS, "image", source, "-t", tag, *words])),
            env={**self.environ, **environ, "CONTAINERS_CONF": self.environ["CONTAINERS_CONF"]},
            capture_output=True,
            encoding="utf-8",
            umask=0o077,  # the served files must be readable nevertheless
            check=False,
        )

    def project_images(self, source, environ):
        """Return the names of the builder and runtime images of `nachlass image` for a source.

        Leftovers of the last run are removed here, while no build needs them.
        """
        self.remove(*self.named(f"{RUN_PREFIX}*"))
        write_notebook(source / "model.ipynb", SMALLEST)
        made = self.nachlass_image(
            source, f"{RUN_PREFIX}smallest", "--base", self.base(), environ=environ
        )
        assert made.returncode == 0, made.stderr
        names = re.search(r"using the builder (\S+) and the runtime (\S+)", made.stderr).groups()
        for name in names:
            self.remove(*{*self.named(name.rpartition(":")[0])} - {name})
        return names

    def s2i_build(
        self, tag, folder, source, builder, *words, environment=None, edit=str, check=True
    ):
        """Build like `s2i build --as-dockerfile` and buildah, with shared downloads."""
        variables = {"UV_CACHE_DIR": DOWNLOADS, **(environment or {})}
        dockerfile = edit(s2i_dockerfile(builder, environment=variables))
        context = context_of(folder, source, dockerfile)
        words = ("--layers=false", *self.downloads_mount, *words)
        return self.build(tag, context, *words, check=check)

    def files_with_wrong_mode(self, tag):
        """Return model files that other users can write, or that not all can read."""
        wrong = ("!", "-type", "l", "(", "-perm", "/022", "-o", "!", "-perm", "-444", ")")
        return self.model_files(tag, *wrong)

    def files_of_other_owners(self, tag):
        """Return model files that do not belong to root."""
        return self.model_files(tag, "(", "!", "-uid", "0", "-o", "!", "-gid", "0", ")")

    def model_files(self, tag, *condition):
        """Return the files below /opt/app-root that match a condition of find."""
        words = ("--user", "0", "--entrypoint", "find", tag, "/opt/app-root", "-xdev")
        return self.run("podman", "run", "--rm", "--pull=never", *words, *condition).stdout

    @contextmanager
    def container(self, tag, *words, environment=None, command=()):
        """Start a container, wait until it is ready, and yield it."""
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
    """A container that listens on a port of this machine."""

    engine: Engine
    id: str
    port: int

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            with connection.getresponse() as response:
                return response.status, response.read().decode()
        finally:
            connection.close()

    def predict(self, sample):
        status, body = self.request("POST", "/predict", json.dumps(sample))
        return status, json.loads(body)

    def wait(self, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.request("GET", "/readyz")[0] == 200:
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
        """Stop it like a platform; return its exit code and the duration in seconds."""
        started = time.monotonic()
        self.engine.run("podman", "stop", "-t", "20", self.id)
        seconds = time.monotonic() - started
        code = self.engine.run("podman", "inspect", self.id, "--format", "{{.State.ExitCode}}")
        return int(code.stdout), seconds


def s2i_dockerfile(builder, *, environment=None, cached=None):
    """Return the Dockerfile of `s2i build --as-dockerfile` for a builder without readable labels.

    `cached` is the image of the previous build.
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
    if cached:
        lines += [
            "COPY --chown=1001:0 --from=cached /tmp/artifacts.tar /tmp/artifacts.tar",
            "USER 1001",
            (
                "RUN mkdir -p /tmp/artifacts && tar -xf /tmp/artifacts.tar -C /tmp/artifacts"
                " && rm /tmp/artifacts.tar"
            ),
        ]
    lines += ["USER 1001", "RUN /usr/libexec/s2i/assemble", "CMD /usr/libexec/s2i/run"]
    return "\n".join(lines) + "\n"


def documented_dockerfile():
    """Return the documented Dockerfile with two stages."""
    page = (PROJECT / "docs/how-to/s2i.md").read_text(encoding="utf-8")
    return page.partition("```dockerfile\n")[2].partition("```")[0]


def second_stage(runtime, first):
    """Return the second stage of that Dockerfile, for a runtime and the image built by s2i."""
    stage = documented_dockerfile().partition("FROM nachlass-runtime\n")[2]
    return f"FROM {runtime}\n{stage.replace('--from=built', f'--from={first}')}"


def context_of(folder, source, dockerfile):
    """Create a build context in s2i's layout: the source and the Dockerfile."""
    shutil.copytree(
        source, folder / "upload/src", symlinks=True, ignore=shutil.ignore_patterns(".nachlass")
    )
    (folder / "Dockerfile").write_text(dockerfile)
    return folder
