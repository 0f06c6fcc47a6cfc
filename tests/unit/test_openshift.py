"""The objects for OpenShift and Tekton: complete, consistent with each other and with the code."""

import json
import os
import re
import subprocess
from types import SimpleNamespace

import pytest
import yaml

from nachlass_builder import __version__
from nachlass_builder.foundation.credentials import redact
from nachlass_builder.image.s2i import INJECTED
from nachlass_service.base.settings import Settings
from nachlass_service.hosting.server import GIL_ALLOWANCE_S, GRACEFUL_TIMEOUT_S
from nachlass_service.web.app import create_app
from support.project import ALL, PROJECT

FOLDER = PROJECT / "s2i/openshift"
FILES = sorted(FOLDER.iterdir())
KUBERNETES = "1.29"  # which OpenShift 4.16 is
APP_ROUTES = {
    rule.rule: rule.methods
    for rule in create_app(
        SimpleNamespace(settings=SimpleNamespace(show_samples=False))
    ).url_map.iter_rules()
}
POD_OF_A_BUILD = {"/tmp/build", "/var/cache/blobs", "/var/lib/containers/cache"}
"""Where the build controller mounts what is its own; a volume for the same path is refused."""


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast, where libyaml is."""


def documents(name):
    return list(yaml.load_all((FOLDER / name).read_bytes(), Loader=LOADER))


def only(items):
    (item,) = items
    return item


def named(items):
    """A list of objects that have names, by name; none may be there twice."""
    by_name = {item["name"]: item for item in items}
    assert len(by_name) == len(items)
    return by_name


def strings(value):
    """All texts in a document, names of fields too."""
    match value:
        case dict():
            for key, inner in value.items():
                yield key
                yield from strings(inner)
        case list():
            for inner in value:
                yield from strings(inner)
        case str():
            yield value


def references(value, pattern):
    return {name for text in strings(value) for name in re.findall(pattern, text)}


# The image stream of the builder.

STREAM = only(documents("imagestream.yaml"))
TAGS = named(STREAM["spec"]["tags"])


def test_the_kind_of_the_image_stream():
    assert (STREAM["apiVersion"], STREAM["kind"]) == ("image.openshift.io/v1", "ImageStream")
    assert STREAM["metadata"]["name"] == "nachlass"
    assert STREAM["metadata"]["annotations"]["openshift.io/display-name"]


@pytest.mark.parametrize("tag", TAGS)
def test_the_console_and_oc_see_a_builder(tag):
    annotations = TAGS[tag]["annotations"]
    words = annotations["tags"].split(",")
    assert {"builder", "python"} <= set(words)
    assert "hidden" not in words
    assert annotations["iconClass"] == "icon-python"
    assert {"nachlass", "jupyter-notebook"} <= set(annotations["supports"].split(","))
    for name in ("description", "openshift.io/display-name", "openshift.io/provider-display-name"):
        assert annotations[name]
    assert annotations["sampleRepo"].endswith(".git")
    assert (PROJECT / annotations["sampleContextDir"] / "model.ipynb").is_file()
    assert all(isinstance(value, str) for value in annotations.values())
    assert TAGS[tag]["referencePolicy"] == {"type": "Local"}


def test_the_tags_follow_the_version():
    version = __version__.rpartition(".")[0]
    assert TAGS.keys() == {"latest", version}
    assert TAGS["latest"]["from"] == {"kind": "ImageStreamTag", "name": version}
    assert TAGS[version]["annotations"]["version"] == version
    assert TAGS[version]["from"]["kind"] == "DockerImage"
    assert TAGS[version]["from"]["name"].endswith(f"/nachlass:{version}")
    assert TAGS[version]["importPolicy"] == {"scheduled": True}


# The template of a model.

TEMPLATE = only(documents("template.yaml"))
PARAMETERS = named(TEMPLATE["parameters"])


def process(**given):
    """What `oc process` makes of the template: its objects by kind and name."""
    assert given.keys() <= PARAMETERS.keys()
    values = {name: "made" if "generate" in p else "" for name, p in PARAMETERS.items()}
    values |= {name: p["value"] for name, p in PARAMETERS.items() if "value" in p} | given
    assert all(values[name] for name, p in PARAMETERS.items() if p.get("required"))

    def fill(value):
        match value:
            case dict():
                return {fill(key): fill(inner) for key, inner in value.items()}
            case list():
                return [fill(inner) for inner in value]
            case str():
                return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], value)
        return value

    objects = {}
    for item in fill(TEMPLATE["objects"]):
        item["metadata"]["labels"] = {
            **item["metadata"].get("labels", {}),
            **fill(TEMPLATE["labels"]),
        }
        objects[item["kind"], item["metadata"]["name"]] = item
    assert len(objects) == len(TEMPLATE["objects"])
    return objects


OBJECTS = process(NAME="iris", SOURCE_REPOSITORY_URL="https://example.org/me/iris.git")
BUILD = OBJECTS["BuildConfig", "iris"]["spec"]
STRATEGY = BUILD["strategy"]["sourceStrategy"]
DEPLOYMENT = OBJECTS["Deployment", "iris"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
CONTAINER = only(POD["containers"])
SERVICE = OBJECTS["Service", "iris"]["spec"]
ROUTE = OBJECTS["Route", "iris"]
PROBES = {name: probe for name, probe in CONTAINER.items() if name.endswith("Probe")}


def environment(container):
    return {name: entry["value"] for name, entry in named(container["env"]).items()}


def test_the_kinds_of_the_template():
    assert (TEMPLATE["apiVersion"], TEMPLATE["kind"]) == ("template.openshift.io/v1", "Template")
    assert {key: item["apiVersion"] for key, item in OBJECTS.items()} == {
        ("ImageStream", "iris"): "image.openshift.io/v1",
        ("Secret", "iris-github-webhook"): "v1",
        ("Secret", "iris-generic-webhook"): "v1",
        ("Secret", "iris-build"): "v1",
        ("BuildConfig", "iris"): "build.openshift.io/v1",
        ("Deployment", "iris"): "apps/v1",
        ("Service", "iris"): "v1",
        ("Route", "iris"): "route.openshift.io/v1",
    }


def test_parameters_are_used_and_declared():
    used = references([TEMPLATE["objects"], TEMPLATE["labels"]], r"\$\{(\w+)\}")
    assert used == PARAMETERS.keys()
    assert references(TEMPLATE["message"], r"\$\{(\w+)\}") <= PARAMETERS.keys()
    needed = [name for name, p in PARAMETERS.items() if p.get("required") and "value" not in p]
    assert needed == ["SOURCE_REPOSITORY_URL"]
    assert all(isinstance(p.get("value", ""), str) for p in PARAMETERS.values())


def test_nothing_is_left_to_substitute():
    assert [text for text in strings(list(OBJECTS.values())) if "${" in text] == []


def test_core_objects_fit_their_schemas():
    try:
        import kubernetes_validate
    except ImportError:
        if ALL:
            raise
        pytest.skip("kubernetes-validate is missing; to enable: pip install kubernetes-validate")
    seen = set()
    for (kind, _), item in OBJECTS.items():
        if item["apiVersion"] in ("v1", "apps/v1"):
            kubernetes_validate.validate(item, KUBERNETES, strict=True)
            seen.add(kind)
    assert seen == {"Secret", "Deployment", "Service"}


def test_the_build():
    assert BUILD["runPolicy"] == "SerialLatestOnly"
    assert BUILD["completionDeadlineSeconds"] > 0
    assert BUILD["resources"]["limits"].keys() == {"cpu", "memory"}
    assert BUILD["source"] == {
        "type": "Git",
        "git": {"uri": "https://example.org/me/iris.git", "ref": "main"},
        "contextDir": "",
    }
    assert BUILD["strategy"]["type"] == "Source"
    assert STRATEGY["incremental"] is True
    assert BUILD["output"]["to"] == {"kind": "ImageStreamTag", "name": "iris:latest"}
    labels = {label["name"]: label["value"] for label in BUILD["output"]["imageLabels"]}
    assert "builder" not in labels["io.openshift.tags"].split(",")


def test_the_build_uses_a_tag_of_the_image_stream():
    source = STRATEGY["from"]
    assert source["kind"] == "ImageStreamTag"
    stream, _, tag = source["name"].partition(":")
    assert stream == STREAM["metadata"]["name"]
    assert tag in TAGS
    assert source["namespace"] == ""  # where the build is


def test_what_triggers_a_build():
    triggers = {trigger["type"]: trigger for trigger in BUILD["triggers"]}
    assert triggers.keys() == {"ConfigChange", "ImageChange", "GitHub", "Generic"}
    assert triggers["ImageChange"]["imageChange"] == {}
    given = process(
        NAME="iris",
        SOURCE_REPOSITORY_URL="https://example.org/me/iris.git",
        GITHUB_WEBHOOK_SECRET="made for GitHub",
        GENERIC_WEBHOOK_SECRET="made for Generic",
    )
    for kind in ("GitHub", "Generic"):
        name = triggers[kind][kind.lower()]["secretReference"]["name"]
        assert given["Secret", name]["stringData"] == {"WebHookSecretKey": f"made for {kind}"}
    assert "allowEnv" not in triggers["Generic"]["generic"]  # would stay in the image


def test_the_volumes_of_a_build():
    volumes = named(STRATEGY["volumes"])
    assert volumes["credentials"]["mounts"] == [{"destinationPath": str(INJECTED)}]
    mounted = [mount["destinationPath"] for v in volumes.values() for mount in v["mounts"]]
    assert not POD_OF_A_BUILD & set(mounted)
    for volume in volumes.values():
        # A build does not start while a Secret is missing; and one Secret has one place in its pod.
        assert volume["source"]["type"] == "Secret"
        secret = OBJECTS["Secret", volume["source"]["secret"]["secretName"]]
        assert secret.keys() == {"apiVersion", "kind", "metadata"}
    assert len({v["source"]["secret"]["secretName"] for v in volumes.values()}) == len(volumes)


def test_credentials_are_not_variables_of_the_build():
    assert "env" not in STRATEGY
    assert not [name for name in PARAMETERS if "PIP" in name or "INDEX" in name]


def test_no_secret_is_in_a_file():
    for name, parameter in PARAMETERS.items():
        if "SECRET" in name:
            assert parameter["generate"] == "expression"
            assert parameter["from"] == "[a-zA-Z0-9]{40}"
            assert "value" not in parameter
    for item in TEMPLATE["objects"]:
        if item["kind"] == "Secret":
            assert "data" not in item
            for value in item.get("stringData", {}).values():
                assert re.fullmatch(r"\$\{\w+_SECRET\}", value)
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert redact(text, ()) == text
        assert not re.search(r"-----BEGIN|[A-Za-z0-9+]{32}", text)


@pytest.mark.parametrize("name", PROBES)
def test_probes_ask_for_what_the_service_has(name):
    request = PROBES[name]["httpGet"]
    assert "GET" in APP_ROUTES[request["path"]]
    assert request["port"] in {"http", 8080}


def test_the_purpose_of_each_probe():
    paths = {name: probe["httpGet"]["path"] for name, probe in PROBES.items()}
    assert paths == {
        "startupProbe": "/livez",
        "readinessProbe": "/readyz",
        "livenessProbe": "/livez",
    }


def test_liveness_is_more_patient_than_the_service():
    probe = PROBES["livenessProbe"]
    patience_s = probe["periodSeconds"] * probe["failureThreshold"]
    assert patience_s > Settings.from_environ({}).predict_timeout_s + GIL_ALLOWANCE_S


def test_the_router_waits_for_predictions():
    timeout = ROUTE["metadata"]["annotations"]["haproxy.router.openshift.io/timeout"]
    limit_s = Settings.from_environ({}).predict_timeout_s + GIL_ALLOWANCE_S
    assert int(re.fullmatch(r"(\d+)s", timeout)[1]) > limit_s


def test_there_is_time_to_drain():
    command = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    program, seconds = command
    assert program == "sleep"
    assert int(seconds) > 0
    assert POD["terminationGracePeriodSeconds"] > int(seconds) + GRACEFUL_TIMEOUT_S


def test_ports():
    assert only(CONTAINER["ports"]) == {"name": "http", "containerPort": 8080}
    assert environment(CONTAINER)["PORT"] == "8080"
    assert only(SERVICE["ports"]) == {"name": "http", "port": 8080, "targetPort": "http"}
    assert ROUTE["spec"]["port"] == {"targetPort": "http"}
    assert ROUTE["spec"]["to"] == {"kind": "Service", "name": "iris"}
    assert ROUTE["spec"]["tls"]["termination"] == "edge"
    assert "EXPOSE 8080\n" in (PROJECT / "Containerfile").read_text(encoding="utf-8")


def test_prometheus_is_told_where_to_ask():
    annotations = DEPLOYMENT["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == "8080"
    assert "GET" in APP_ROUTES[annotations["prometheus.io/path"]]


def test_selectors_match_the_pods_alone():
    labels = DEPLOYMENT["template"]["metadata"]["labels"].items()
    for selector in (DEPLOYMENT["selector"]["matchLabels"], SERVICE["selector"]):
        assert selector
        assert selector.items() <= labels
        # Whatever has the label of all objects is not a pod of the service for that.
        assert not selector.items() <= OBJECTS["BuildConfig", "iris"]["metadata"]["labels"].items()


def test_the_deployment_follows_the_build():
    annotations = OBJECTS["Deployment", "iris"]["metadata"]["annotations"]
    trigger = only(json.loads(annotations["image.openshift.io/triggers"]))
    assert trigger["from"] == BUILD["output"]["to"]
    name = CONTAINER["name"]
    path = f'spec.template.spec.containers[?(@.name=="{name}")].image'
    assert trigger["fieldPath"] == path
    assert CONTAINER["image"] == " "
    assert ("ImageStream", trigger["from"]["name"].partition(":")[0]) in OBJECTS


def test_the_pod_may_do_nothing_that_it_need_not():
    assert POD["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert only(CONTAINER["volumeMounts"])["mountPath"] == "/tmp"
    assert only(POD["volumes"]) == {"name": "tmp", "emptyDir": {}}


def test_what_the_service_is_given():
    objects = process(
        NAME="iris",
        SOURCE_REPOSITORY_URL="https://example.org/me/iris.git",
        MEMORY_LIMIT="3Gi",
        CPU_LIMIT="2500m",
        METRICS_PREFIX="flowers",
    )
    container = only(objects["Deployment", "iris"]["spec"]["template"]["spec"]["containers"])
    assert container["resources"] == {
        "limits": {"cpu": "2500m", "memory": "3Gi"},
        "requests": {"cpu": "100m", "memory": "3Gi"},
    }
    settings = Settings.from_environ(environment(container))
    assert settings.metrics_prefix == "flowers"
    assert settings.port == 8080


# The pipeline.

PIPELINE, BINDING, TRIGGER_TEMPLATE, LISTENER = documents("pipeline.yaml")
TASKS = named(PIPELINE["spec"]["tasks"])
IMAGE_TASK = TASKS["image"]["taskSpec"]
STEPS = {step["name"]: step for task in TASKS.values() for step in task["taskSpec"]["steps"]}
RUN = only(TRIGGER_TEMPLATE["spec"]["resourcetemplates"])


def test_the_kinds_of_the_pipeline():
    kinds = [(d["apiVersion"], d["kind"]) for d in documents("pipeline.yaml")]
    assert kinds == [
        ("tekton.dev/v1", "Pipeline"),
        ("triggers.tekton.dev/v1beta1", "TriggerBinding"),
        ("triggers.tekton.dev/v1beta1", "TriggerTemplate"),
        ("triggers.tekton.dev/v1beta1", "EventListener"),
    ]
    assert (RUN["apiVersion"], RUN["kind"]) == ("tekton.dev/v1", "PipelineRun")
    assert list(STEPS) == ["clone", "generate", "build", "deploy"]


def test_parameters_go_from_the_pipeline_to_its_tasks():
    given = PIPELINE["spec"]["tasks"]
    outer = [{k: v for k, v in task.items() if k != "taskSpec"} for task in given]
    declared = named(PIPELINE["spec"]["params"])
    assert references(outer, r"\$\(params\.([\w-]+)\)") == declared.keys()
    for task in given:
        inner = named(task["taskSpec"]["params"])
        assert inner.keys() == named(task["params"]).keys()
        body = {k: v for k, v in task["taskSpec"].items() if k != "params"}
        assert references(body, r"\$\(params\.([\w-]+)\)") == inner.keys()


def test_workspaces_and_results_are_declared():
    declared = named(PIPELINE["spec"]["workspaces"])
    assert all(workspace["optional"] is True for workspace in declared.values())
    assert {w["workspace"] for w in TASKS["image"]["workspaces"]} == declared.keys()
    inner = named(IMAGE_TASK["workspaces"])
    assert inner.keys() == named(TASKS["image"]["workspaces"]).keys()
    assert references(IMAGE_TASK, r"\$\(workspaces\.([\w-]+)\.path\)") == inner.keys()
    results = named(IMAGE_TASK["results"])
    assert references(IMAGE_TASK, r"\$\(results\.([\w-]+)\.path\)") == results.keys()
    of_tasks = references(PIPELINE, r"\$\(tasks\.([\w-]+\.results\.[\w-]+)\)")
    assert of_tasks <= {f"image.results.{name}" for name in results}
    assert of_tasks  # they make `deploy` wait
    volumes = named(IMAGE_TASK["volumes"]).keys()
    mounts = [*IMAGE_TASK["stepTemplate"]["volumeMounts"], *STEPS["build"]["volumeMounts"]]
    assert {mount["name"] for mount in mounts} == volumes


def test_a_push_starts_the_pipeline():
    trigger = only(LISTENER["spec"]["triggers"])
    assert [b["ref"] for b in trigger["bindings"]] == [BINDING["metadata"]["name"]]
    assert trigger["template"]["ref"] == TRIGGER_TEMPLATE["metadata"]["name"]
    assert RUN["spec"]["pipelineRef"]["name"] == PIPELINE["metadata"]["name"]
    interceptors = {
        i["ref"]["name"]: {p["name"]: p["value"] for p in i["params"]}
        for i in trigger["interceptors"]
    }
    assert interceptors["github"]["eventTypes"] == ["push"]
    assert interceptors["github"]["secretRef"].keys() == {"secretName", "secretKey"}
    assert "default_branch" in interceptors["cel"]["filter"]


def test_a_push_gives_all_that_the_pipeline_needs():
    wanted = named(TRIGGER_TEMPLATE["spec"]["params"]).keys()
    assert named(BINDING["spec"]["params"]).keys() == wanted
    assert references(RUN, r"\$\(tt\.params\.([\w-]+)\)") == wanted
    given = named(RUN["spec"]["params"]).keys()
    declared = named(PIPELINE["spec"]["params"])
    assert given <= declared.keys()
    assert {name for name, p in declared.items() if "default" not in p} <= given
    credentials = named(RUN["spec"]["workspaces"])["credentials"]["secret"]
    assert credentials["optional"] is True
    assert credentials["secretName"].replace("$(tt.params.name)", "iris") == "iris-build"
    assert ("Secret", "iris-build") in OBJECTS
    assert named(RUN["spec"]["workspaces"]).keys() <= named(PIPELINE["spec"]["workspaces"]).keys()


def test_images_are_pinned():
    builder = named(PIPELINE["spec"]["params"])["builder"]["default"]
    assert builder == TAGS[__version__.rpartition(".")[0]]["from"]["name"]
    assert STEPS["clone"]["image"] == "$(params.builder)"
    for name in ("generate", "build", "deploy"):
        _, _, tag = STEPS[name]["image"].rpartition(":")
        assert re.match(r"v?\d+\.\d+", tag)


def test_scripts_hold_nothing_that_tekton_fills_in():
    for step in STEPS.values():
        assert not re.search(r"\$\((params|workspaces|results|tasks|context)\b", step["script"])


@pytest.fixture
def step(tmp_path):
    """Run a step's script in a folder, with stubs that write down what they were asked."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "source").mkdir()
    calls = tmp_path / "calls"
    for program in ("s2i", "buildah", "oc"):
        stub = tmp_path / "bin" / program
        stub.write_text(f"""#!/bin/sh\necho {program} "$@" >> "$CALLS"\neval "$STUB"\n""")
        stub.chmod(0o755)

    def run(name, stub=":", **given):
        task = only(t["taskSpec"] for t in TASKS.values() if STEPS[name] in t["taskSpec"]["steps"])
        shared = task.get("stepTemplate", {}).get("env", [])
        declared = named([*shared, *STEPS[name].get("env", [])])
        assert given.keys() <= declared.keys()
        calls.write_text("")
        done = subprocess.run(
            ["sh", "-c", STEPS[name]["script"]],
            cwd=tmp_path / "source",
            env={
                **dict.fromkeys(declared, ""),
                **{key: str(value) for key, value in given.items()},
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                "TMPDIR": str(tmp_path),
                "CALLS": str(calls),
                "STUB": stub,
            },
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return done.returncode, calls.read_text().splitlines()

    return run


@pytest.fixture
def repository(tmp_path):
    """A repository of two branches; the function runs git in it."""
    folder = tmp_path / "repository"

    def git(*words):
        identity = ("-c", "user.name=me", "-c", "user.email=me@example.org")
        command = ["git", *identity, "-C", folder, *words]
        done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
        return done.stdout.strip()

    folder.mkdir()
    git("init", "--quiet", "--initial-branch=main")
    for branch in ("main", "other"):
        git("checkout", "--quiet", "-B", branch)
        git("commit", "--quiet", "--allow-empty", "-m", branch)
    git("checkout", "--quiet", "main")
    return git


@pytest.mark.starts_programs
@pytest.mark.parametrize("revision", ["main", "other", "commit"])
def test_the_step_that_clones(step, repository, tmp_path, revision):
    commit = repository("rev-parse", "main" if revision == "commit" else revision)
    given = commit if revision == "commit" else revision
    url = f"file://{tmp_path}/repository"
    done, _ = step("clone", URL=url, REVISION=given, COMMIT=tmp_path / "commit")
    assert done == 0
    assert (tmp_path / "commit").read_text() == commit
    head = (tmp_path / "source/repository/.git/HEAD").read_text().strip()
    assert head == commit


def test_the_step_that_generates_a_dockerfile(step, tmp_path):
    (tmp_path / "commit").write_text("c0ffee")
    given = {
        "URL": "https://example.org/me/iris.git",
        "BUILDER": "b:1",
        "CONTEXT_DIR": "sub",
        "COMMIT": tmp_path / "commit",
    }
    done, calls = step("generate", stub="echo FROM b:1 > context/Dockerfile", **given)
    assert done == 0
    assert only(calls) == (
        "s2i build ./repository b:1 --copy --context-dir=sub"
        " --env=OPENSHIFT_BUILD_SOURCE=https://example.org/me/iris.git"
        " --env=OPENSHIFT_BUILD_COMMIT=c0ffee --as-dockerfile=context/Dockerfile"
    )
    (tmp_path / "source/context/Dockerfile").unlink()
    (tmp_path / "source/context").rmdir()
    assert step("generate", **given)[0] != 0  # s2i said that all was well
    (tmp_path / "source/context").rmdir()
    assert step("generate", stub="echo FROM > context/Dockerfile; exit 1", **given)[0] != 0


def test_the_step_that_builds(step, tmp_path):
    done, (bare, push) = step("build", IMAGE="r/iris", DIGEST="/d")
    assert done == 0
    assert "--volume" not in bare
    assert push == "buildah push --digestfile=/d r/iris docker://r/iris"
    _, (build, _) = step("build", IMAGE="r/iris", DIGEST="/d", CREDENTIALS="/c", DATA="/my/data")
    volumes = f" --volume=/c:{INJECTED}:ro --volume=/my/data:/data:ro"
    assert build.replace(volumes, "") == bare
    assert volumes in build
    assert " --layers=false " in build  # the source and the artifacts would stay in a layer
    done, calls = step("build", stub="exit 1", IMAGE="r/iris")
    assert done != 0
    assert calls == [bare]


def test_the_step_that_deploys(step):
    done, calls = step("deploy", NAME="iris", IMAGE="r/iris@sha256:1")
    assert done == 0
    assert calls == [
        f"oc set image deployment/iris {CONTAINER['name']}=r/iris@sha256:1",
        "oc rollout status deployment/iris --timeout=10m",
    ]


# All files.


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_says_what_it_is_and_how_to_apply_it(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    first, second, third = lines[:3]
    assert first.startswith("# ")
    assert second.startswith("# ")
    assert not third.startswith("#")
    assert path.name in second
    assert "oc apply -f" in second
    assert max(map(len, lines)) <= 100
