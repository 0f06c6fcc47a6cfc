"""The builder image, as s2i engines use it, and the images that it builds."""

import http.client
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from filelock import FileLock

from support.cells import write_notebook
from support.containers import (
    RUN_PREFIX,
    SMALL,
    SMALLEST,
    context_of,
    documented_dockerfile,
    environment_of,
    needs_containers,
    s2i_dockerfile,
)
from support.planted import FILES, plant
from support.private_servers import PASSWORD, SPELLINGS, USER, USERINFO, private_server
from support.project import PROJECT
from support.registry import registry
from support.wheels import make_index, make_wheel

pytestmark = needs_containers

SPAM = PROJECT / "examples/spam"
MAIL = "win a prize now"
NONE = f"{RUN_PREFIX}none"
USERS = ("1001", "100001:0", "12345:0")
READ_ONLY = ("--read-only", "--tmpfs", "/tmp")


@pytest.fixture(scope="session")
def spam_image(engine, builder, shared):
    """Return the s2i image of a pipeline of notebooks: many layers, CMD in shell form.

    The first worker builds it.
    """
    name, folder = f"{RUN_PREFIX}spam", shared / "spam-image"
    with FileLock(shared / "spam-image.lock"):
        if not (folder / "made").exists():
            environment = environment_of(SPAM)
            engine.s2i_build(name, folder, SPAM, builder, environment=environment)
            (folder / "made").touch()
    return name


@pytest.fixture
def small(tmp_path):
    """Return a source with few requirements."""
    write_notebook(tmp_path / "small/model.ipynb", SMALL)
    return tmp_path / "small"


def test_the_builder_has_the_metadata_that_platforms_read(engine, builder):
    config = engine.inspect(builder)["Config"]
    assert config["User"] == "1001"
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    labels = config["Labels"]
    assert labels["io.openshift.s2i.scripts-url"] == "image:///usr/libexec/s2i"
    assert labels["io.openshift.expose-services"] == "8080:http"
    assert "builder" in labels["io.openshift.tags"].split(",")
    assert "OnBuild" not in config or not config["OnBuild"]
    assert "Volumes" not in config or not config["Volumes"]


def test_the_builder_has_the_programs_that_s2i_uses(engine, builder):
    programs = "sh bash tar truncate find git ssh"
    script = f"for name in {programs}; do command -v $name || exit 1; done"
    found = engine.run("podman", "run", "--rm", "--pull=never", builder, "sh", "-c", script)
    assert len(found.stdout.splitlines()) == len(programs.split())
    trusted = ("podman", "run", "--rm", "--pull=never", builder, "ls", "/etc/ssl/certs")
    assert "ca-certificates.crt" in engine.run(*trusted).stdout.split()


@pytest.mark.parametrize("user", USERS)
def test_the_builder_prints_its_usage(engine, builder, user):
    usage = engine.run("podman", "run", "--rm", "--pull=never", "--user", user, builder).stdout
    assert "oc new-app" in usage
    assert "S2I_SOURCE_NOTEBOOK" in usage


@pytest.mark.parametrize("user", USERS)
def test_an_image_serves_as_any_user_from_a_read_only_root(engine, spam_image, user):
    with engine.container(spam_image, "--user", user, *READ_ONLY) as running:
        assert running.predict([MAIL]) == (200, ["spam"])
        counted = 'nachlass_predictions_total{field="",value="spam"} 1.0'
        assert counted in running.request("GET", "/metrics")[1]
        first = engine.run("podman", "exec", running.id, "cat", "/proc/1/cmdline").stdout
        assert "nachlass_service" in first.split("\0")
        assert running.request("GET", "/notebook/1")[0] == 404
        assert "example" not in json.loads(running.request("GET", "/model")[1])["input"]
        code, seconds = running.stop()
        assert code == 0
        assert seconds < 10


def test_requests_in_progress_are_answered_when_a_container_stops(engine, spam_image):
    answers, refused = [], []

    def send_requests(running):
        while not refused:
            try:
                answers.append(running.predict([MAIL]))
            except ConnectionRefusedError as error:
                refused.append(error)
            except (OSError, http.client.HTTPException) as error:
                answers.append(repr(error))

    with engine.container(spam_image, *READ_ONLY) as running:
        with ThreadPoolExecutor(8) as clients:
            futures = [clients.submit(send_requests, running) for _ in range(8)]
            time.sleep(2)
            code, seconds = running.stop()
            for future in futures:
                future.result()
        assert code == 0
        assert seconds < 10
    good = [answer for answer in answers if answer[0] == 200]
    assert len(good) > 100
    # Connections accepted by the kernel but by no worker are lost with the container.
    assert len(answers) - len(good) <= 8


def test_programs_of_the_environment_run(engine, spam_image):
    for words in (["gunicorn", "--version"], ["sh", "-ic", "python -m flask --version"]):
        command = ("podman", "run", "--rm", "--pull=never", spam_image, *words)
        assert engine.run(*command).stdout.strip()
    checked = "/usr/libexec/s2i/run prove"
    engine.run("podman", "run", "--rm", "--pull=never", spam_image, "sh", "-ic", checked)


def test_container_limits_set_the_number_of_workers(engine, spam_image):
    limits = ("--memory", "512m", "--cpus", "0.5")
    with engine.container(spam_image, *limits, *READ_ONLY) as running:
        [serving] = [line for line in running.log().splitlines() if '"serving"' in line]
        assert json.loads(serving)["workers"] == 1
        assert re.match(r"0\.5 cores, 512 MiB of memory", json.loads(serving)["because"])
        assert running.predict([MAIL])[0] == 200


def test_an_image_contains_no_leftovers_of_the_build(engine, spam_image):
    listed = engine.run(
        "podman", "run", "--rm", "--pull=never", spam_image,
        "find", "/opt/app-root", "/tmp", "-xdev", "-maxdepth", "2",
    ).stdout.split()  # fmt: skip
    assert "/opt/app-root/bundle/manifest.json" in listed
    # If files were mounted for the builder itself, an empty folder is left.
    assert {path for path in listed if path.startswith("/tmp/")} <= {"/tmp/injected"}
    assert "/opt/app-root/.build" not in listed
    assert engine.files_with_wrong_mode(spam_image) == ""


def test_hooks_and_wrapper_scripts_run_in_one_layer(engine, builder, small, tag, tmp_path):
    """Build like OpenShift, which names the source; the home is writable."""
    hooks = small / ".s2i/action_hooks"
    hooks.mkdir(parents=True)
    (hooks / "pre_assemble").write_text("cp model.ipynb kept.txt && echo before\n")
    (hooks / "post_assemble").write_text("echo after\n")
    (hooks / "pre_run").write_text("export HOOKED=1\n")
    wrapper = small / ".s2i/bin/assemble"
    wrapper.parent.mkdir()
    wrapper.write_text("#!/bin/bash\necho wrapped\n/usr/libexec/s2i/assemble && echo done\n")
    wrapper.chmod(0o755)
    environment = {
        "OPENSHIFT_BUILD_SOURCE": "https://example.org/me/My_Model.git",
        "OPENSHIFT_BUILD_COMMIT": "0123456789abcdef0123456789abcdef01234567",
        "SHIFT": "a b",
    }

    def wrapped(dockerfile):
        return dockerfile.replace("RUN /usr/libexec/s2i/assemble", "RUN /tmp/src/.s2i/bin/assemble")

    context = tmp_path / "context"
    output = engine.s2i_build(
        tag, context, small, builder, environment=environment, edit=wrapped
    ).stdout.splitlines()
    assert len(engine.layers(tag) - engine.layers(builder)) == 1
    order = [output.index(word) for word in ("wrapped", "before", "after", "done")]
    assert order == sorted(order)
    with engine.container(tag, "--user", "12345:0", *READ_ONLY) as running:
        assert running.predict("HOOKED") == (200, "1")
        assert running.predict("HOME") == (200, "/tmp")
        assert running.predict("SHIFT") == (200, "a b")
        model = json.loads(running.request("GET", "/model")[1])
        assert (model["name"], model["version"]) == ("my-model", "0123456")
        kept = ("podman", "exec", running.id, "cat", "/opt/app-root/bundle/src/kept.txt")
        assert "cells" in engine.run(*kept).stdout


def test_the_documented_dockerfile_builds_the_small_image(
    engine, project_images, small, tag, tmp_path
):
    """The image has the source's variables, but no secrets and none of s2i's artifacts."""
    builder, runtime = project_images
    parameters, marks = plant(small)
    (small / ".s2i").mkdir()
    (small / ".s2i/environment").write_text("GREETING=it's $HOME\n")
    variables = {"S2I_KEEP_ARTIFACTS": "1", "S2I_APP_METRICS_PREFIX": "points", **parameters}
    write_notebook(small / "model.ipynb", f"{SMALL}# %%\nassert os.environ['API_TOKEN']\n")
    dockerfile = documented_dockerfile().replace("FROM nachlass-runtime", f"FROM {runtime}")
    environment = "".join(f'ENV {name}="{value}"\n' for name, value in variables.items())
    first = f"FROM {builder} AS built\n{environment}"
    file = tmp_path / "Dockerfile"  # outside the source, because it has the secret
    file.write_text(dockerfile.replace("FROM nachlass AS built\n", first))
    built = engine.build(tag, small, "--layers=false", "--file", file)
    for name in FILES:
        assert f"{name} (" in built.stderr
    for name in parameters:
        assert f"{name} looks like a secret, and stays in the configuration" in built.stderr
    assert "predicts as its notebook did: 1 sample\n" in built.stdout
    for mark in marks:
        assert mark not in built.stderr
        assert not engine.contains(tag, runtime, mark)
    with engine.container(tag, "--user", "12345:0", *READ_ONLY) as running:
        assert running.predict("HOME") == (200, "/tmp")
        assert running.predict("GREETING") == (200, "it's $HOME")
        assert "points_processing_seconds_count 2.0" in running.request("GET", "/metrics")[1]
        for left in ("/opt/nachlass", "/var/lib/nachlass", "/opt/app-root/artifacts"):
            found = engine.run("podman", "exec", running.id, "ls", left, check=False)
            assert found.returncode != 0, left
    with engine.container(tag, environment={"GREETING": "mine"}) as running:
        assert running.predict("GREETING") == (200, "mine")
    assert engine.files_with_wrong_mode(tag) == engine.files_of_other_owners(tag) == ""
    # As small as the image of `nachlass image` for the same source.
    words = ["--builder", builder]
    words += [word for name, value in parameters.items() for word in ("-e", f"{name}={value}")]
    whole = engine.nachlass_image(small, f"{tag}-whole", *words, environ=engine.environ)
    assert whole.returncode == 0, whole.stderr
    sizes = [engine.inspect(name)["Size"] for name in (tag, f"{tag}-whole")]
    assert sizes[0] <= 1.02 * sizes[1], sizes


@pytest.mark.needs("docker-registry", "make test-all")
def test_the_pipeline_pushes_the_small_image_with_the_labels_of_the_model(
    engine, project_images, small, tmp_path
):
    """The step runs as in the file, except for the storage, which the tests configure."""
    builder, runtime = project_images
    [pipeline, *_] = yaml.safe_load_all((PROJECT / "s2i/openshift/pipeline.yaml").read_text())
    [script] = [
        step["script"].replace("export STORAGE_DRIVER=vfs\n", "")
        for task in pipeline["spec"]["tasks"]
        for step in task["taskSpec"]["steps"]
        if step["name"] == "build"
    ]
    (small / "CITATION.cff").write_text("license: MIT\n")
    variables = {"OPENSHIFT_BUILD_COMMIT": "0123456789abcdef", "S2I_MODEL_NAME": "iris"}
    context_of(tmp_path / "work/context", small, s2i_dockerfile(builder, environment=variables))
    (tmp_path / "injected").mkdir()
    if engine.trust:
        shutil.copy(os.environ["PIP_CERT"], tmp_path / "injected/ca.crt")
    with registry(tmp_path, engine) as address:
        image = f"{address}/iris"
        values = {
            "CREDENTIALS": str(tmp_path / "injected"),
            "DATA": "",
            "REGISTRY": "",
            "RUNTIME": runtime,
            "IMAGE": image,
            "DIGEST": str(tmp_path / "digest"),
        }
        variables = (f"{name}={value}" for name, value in values.items())
        engine.run("env", *variables, "sh", "-c", script, cwd=tmp_path / "work")
        pushed = f"{image}@{(tmp_path / 'digest').read_text()}"
        engine.run("podman", "pull", pushed)
        labels = engine.inspect(pushed)["Config"]["Labels"]
        assert labels["org.opencontainers.image.title"] == "iris"
        assert labels["org.opencontainers.image.version"] == "0123456"
        assert labels["org.opencontainers.image.revision"] == "0123456789abcdef"
        assert labels["org.opencontainers.image.licenses"] == "MIT"
        assert engine.files_with_wrong_mode(pushed) == engine.files_of_other_owners(pushed) == ""
        with engine.container(pushed, "--user", "12345:0", *READ_ONLY) as running:
            assert running.predict("LANG") == (200, "C.UTF-8")
        engine.remove(pushed, "localhost/built", "localhost/model")


def test_an_incremental_build_reuses_the_saved_artifacts(engine, builder, small, tag, tmp_path):
    """The source comes on standard input; the second build has no network."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(small, "src")
    script = "tar -C /tmp -xf - && /usr/libexec/s2i/assemble"
    name = "nachlass-test-classic"
    engine.run("podman", "rm", "-f", name, check=False)
    done = subprocess.run(
        [
            *("podman", "run", "-i", "--name", name, "--pull=never", *engine.trust),
            *("-e", "S2I_KEEP_ARTIFACTS=1"),
            *("--entrypoint", "/usr/bin/env", builder, "/bin/sh", "-c", script),
        ],
        input=archive.getvalue(),
        env=engine.environ,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "artifacts for the next build" in done.stderr.decode()
    entry = 'ENTRYPOINT ["/usr/libexec/s2i/entrypoint"]'
    command = 'CMD ["/usr/libexec/s2i/run"]'
    engine.run("podman", "commit", "-c", entry, "-c", command, name, tag)
    engine.run("podman", "rm", "-f", name)
    with engine.container(tag, "--user", "12345:0", *READ_ONLY) as running:
        assert running.predict("HOME")[0] == 200
        assert running.stop()[0] == 0

    keep = {"S2I_KEEP_ARTIFACTS": "1"}
    dockerfile = s2i_dockerfile(builder, environment=keep, cached=tag)
    write_notebook(small / "model.ipynb", SMALL + "# %%\nchanged = True\n")
    second = context_of(tmp_path / "second", small, dockerfile)
    script = 'ip link set lo up && exec "$@"'
    built = engine.run(
        *("unshare", "-n", "sh", "-c", script, "sh"),
        *("buildah", "bud", "--isolation=chroot", "--network=host", "--layers=false"),
        *("-t", f"{tag}-second", second),
    )
    assert "using artifacts of the previous build" in built.stdout + built.stderr
    with engine.container(f"{tag}-second") as running:
        assert running.predict("HOME")[0] == 200
    # A built image is a builder, too: nothing of the previous model is left.
    write_notebook(tmp_path / "other/model.ipynb", SMALLEST)
    engine.s2i_build(f"{tag}-third", tmp_path / "third", tmp_path / "other", tag)
    with engine.container(f"{tag}-third", *READ_ONLY) as running:
        assert running.predict(5) == (200, [5])
        imported = ("podman", "exec", running.id, "python", "-c", "import six")
        assert engine.run(*imported, check=False).returncode != 0


@pytest.mark.needs_elsewhere("s2i", "s2i, from github.com/openshift/source-to-image")
def test_our_dockerfiles_match_those_of_s2i(engine, builder, small, tmp_path):
    words = ("--as-dockerfile", tmp_path / "context/Dockerfile", "-e", "SHIFT=1")
    engine.run("s2i", "build", "--copy", *words, small, builder, "app")
    written = (tmp_path / "context/Dockerfile").read_text()
    ours = s2i_dockerfile(builder, environment={"SHIFT": "1"})

    def steps(text):
        lines = text.replace("\\\n", " ").splitlines()
        return [" ".join(line.split()) for line in lines if line and not line.startswith("LABEL")]

    assert steps(written) == steps(ours)
    assert (tmp_path / "context/upload/src/model.ipynb").is_file()


def test_no_artifacts_are_saved_by_default(engine, spam_image):
    command = ("podman", "run", "--rm", "--pull=never", spam_image)
    saved = subprocess.run(
        [*command, "/usr/libexec/s2i/save-artifacts"],
        env=engine.environ,
        capture_output=True,
        check=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
        assert tar.getnames() == []


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("# %%\nx = 1\n# %%\ndef predictor(x, y):\n    return x\n", "model.ipynb, cell 2"),
        (None, "/tmp/src is empty"),
    ],
)
def test_a_failing_build_reports_the_cause_and_leaves_no_image(
    engine, builder, tmp_path, cells, message
):
    source = tmp_path / "source"
    source.mkdir()
    if cells:
        write_notebook(source / "model.ipynb", cells)
    failed = engine.s2i_build(NONE, tmp_path / "context", source, builder, check=False)
    assert failed.returncode != 0
    assert message in failed.stdout + failed.stderr
    assert not engine.has(NONE)


def test_mounted_files_are_in_no_layer(engine, builder, tag, tmp_path):
    """The build mounts credentials and data in a volume; its layers are not squashed."""
    root, injected = tmp_path / "index", tmp_path / "injected"
    make_wheel(root / "files", "secretlib")
    make_index(root)
    marks = {
        "key": "c2VjcmV0LWtleQ-never-in-a-layer",
        "data": "row-of-training-data-never-in-a-layer",
        "cloud": "AKIAEXAMPLENEVERINALAYER",
    }
    source = tmp_path / "source"
    with private_server(root) as server:
        injected.mkdir(mode=0o755)
        for name, text in {
            "pip.conf": f"[global]\nextra-index-url = http://{USERINFO}@{server}/simple/\n",
            ".netrc": f"machine 127.0.0.1 login {USER} password {PASSWORD}\n",
            "id_ed25519": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{marks['key']}\n",
            "cloud.ini": f"aws_access_key_id = {marks['cloud']}\n",
            "data.csv": f"{marks['data']}\n1,2\n",
        }.items():
            (injected / name).write_text(text)
        write_notebook(
            source / "model.ipynb",
            """# %%
requirements = ["secretlib==1.0"]
from pathlib import Path
import secretlib
# %%
injected = Path("/tmp/injected")
key = (injected / "cloud.ini").read_text().partition(" = ")[2]
rows = (injected / "data.csv").read_text().splitlines()[1:]
count = len(rows)
# %%
def predictor(x):
    return [x, secretlib.VERSION, count]
# %%
samples = [1]
""",
        )
        built = engine.s2i_build(
            tag, tmp_path / "context", source, builder, "-v", f"{injected}:/tmp/injected:ro"
        )
    with engine.container(tag, *READ_ONLY) as running:
        assert running.predict(5) == (200, [5, "1.0", 1])
    assert engine.contains(tag, builder, "secretlib"), "nothing is found"
    for secret in (*marks.values(), *SPELLINGS):
        assert secret not in built.stdout + built.stderr
        assert not engine.contains(tag, builder, secret), secret
