"""The objects for OpenShift and Tekton: complete, consistent with each other and with the code."""

import json
import os
import re
import subprocess
from types import SimpleNamespace

import pytest
import yaml

from nachlass_builder import __version__
from nachlass_builder.bundle import layout
from nachlass_builder.bundle.manifest import decode
from nachlass_builder.foundation.credentials import redact
from nachlass_builder.image.s2i import INJECTED
from nachlass_builder.monitoring.monitoring import monitoring
from nachlass_builder.monitoring.rules import Thresholds
from nachlass_builder.source.prepare import Request
from nachlass_service.base.settings import Settings
from nachlass_service.hosting.server import GIL_ALLOWANCE_S, GRACEFUL_TIMEOUT_S
from nachlass_service.web.app import create_app
from support.manifest import example
from support.project import ALL, PROJECT

FOLDER = PROJECT / "s2i/openshift"
FILES = sorted(FOLDER.iterdir())
KUBERNETES = "1.29"  # the version in OpenShift 4.16
APP_ROUTES = {
    rule.rule: rule.methods
    for rule in create_app(
        SimpleNamespace(settings=SimpleNamespace(show_samples=False))
    ).url_map.iter_rules()
}
POD_OF_A_BUILD = {"/tmp/build", "/var/cache/blobs", "/var/lib/containers/cache"}
"""Mount points of the build controller; a volume with the same path is rejected."""


DOCKERFILE = """\
FROM nachlass-runtime
COPY --chown=0:0 --from=built /opt/app-root /opt/app-root
USER 0
RUN /usr/libexec/nachlass/install-packages listed
USER 1001
RUN --mount=type=tmpfs,target=/tmp /usr/libexec/s2i/run prove
"""
"""The recipe for the small image from the s2i image, the same everywhere."""

CONTAINERFILE = (PROJECT / "Containerfile").read_text(encoding="utf-8")
PAGE = (PROJECT / "docs/how-to/s2i.md").read_text(encoding="utf-8")

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times faster if libyaml is installed."""


def documents(name):
    return list(yaml.load_all((FOLDER / name).read_bytes(), Loader=LOADER))


def only(items):
    (item,) = items
    return item


def named(items):
    """Return objects by their unique names."""
    by_name = {item["name"]: item for item in items}
    assert len(by_name) == len(items)
    return by_name


def strings(value):
    """Yield all strings in a document, including names of fields."""
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


def unrestricted(pod):
    """Return the fields that violate Pod Security's profile `restricted`, by container."""
    of_pod = pod.get("securityContext", {})
    found = {
        "": [field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field)]
        + [f"volumes: {v['name']}" for v in pod.get("volumes", []) if not v.keys() & VOLUMES]
        + ["sysctls"] * ("sysctls" in of_pod)
    }
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = container.get("securityContext", {})
        shared = {**of_pod, **own}
        capabilities = own.get("capabilities", {})
        fields = {
            "privileged": not own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities.drop": "ALL" in capabilities.get("drop", []),
            "capabilities.add": {*capabilities.get("add", [])} <= {"NET_BIND_SERVICE"},
            "procMount": own.get("procMount", "Default") == "Default",
            "runAsNonRoot": shared.get("runAsNonRoot") is True,
            "runAsUser": shared.get("runAsUser") != 0,
            "seLinuxOptions": "seLinuxOptions" not in shared,
            "seccompProfile": shared.get("seccompProfile", {}).get("type") in PROFILES,
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
        }
        found[container["name"]] = [field for field, fits in fields.items() if not fits]
    return {name: fields for name, fields in found.items() if fields}


VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
}
PROFILES = {"RuntimeDefault", "Localhost"}


# The image streams of the builder and the runtime.

STREAM, RUNTIME_STREAM = documents("imagestream.yaml")
TAGS = named(STREAM["spec"]["tags"])


STREAMS = {"nachlass": STREAM, "nachlass-runtime": RUNTIME_STREAM}


@pytest.mark.parametrize("name", STREAMS)
def test_the_kind_and_name_of_an_image_stream(name):
    stream = STREAMS[name]
    assert (stream["apiVersion"], stream["kind"]) == ("image.openshift.io/v1", "ImageStream")
    assert stream["metadata"]["name"] == name
    assert stream["metadata"]["annotations"]["openshift.io/display-name"]


@pytest.mark.parametrize("tag", TAGS)
def test_an_image_stream_tag_is_listed_as_a_builder(tag):
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


@pytest.mark.parametrize("name", STREAMS)
def test_the_tags_follow_the_version(name):
    version = __version__.rpartition(".")[0]
    tags = named(STREAMS[name]["spec"]["tags"])
    assert tags.keys() == {"latest", version}
    assert tags["latest"]["from"] == {"kind": "ImageStreamTag", "name": version}
    assert tags[version]["annotations"]["version"] == version
    assert tags[version]["from"]["kind"] == "DockerImage"
    assert tags[version]["from"]["name"].endswith(f"/{name}:{version}")
    assert tags[version]["importPolicy"] == {"scheduled": True}


def test_the_runtime_is_not_listed_as_a_builder():
    for tag in RUNTIME_STREAM["spec"]["tags"]:
        assert "builder" not in tag["annotations"]["tags"].split(",")
        assert not tag["annotations"].keys() & {"supports", "sampleRepo"}
        assert tag["referencePolicy"] == {"type": "Local"}
    stages = re.findall(r"^FROM \S+ AS (\S+)$", CONTAINERFILE, re.MULTILINE)
    assert {"runtime", "builder"} <= {*stages}


# The template of a model.

TEMPLATE = only(documents("template.yaml"))
PARAMETERS = named(TEMPLATE["parameters"])


def process(**given):
    """Return the objects that `oc process` makes of the template, by kind and name."""
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
BUILD = OBJECTS["BuildConfig", "iris-built"]["spec"]
STRATEGY = BUILD["strategy"]["sourceStrategy"]
SECOND = OBJECTS["BuildConfig", "iris"]["spec"]
DEPLOYMENT = OBJECTS["Deployment", "iris"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
CONTAINER = only(POD["containers"])
SERVICE = OBJECTS["Service", "iris"]["spec"]
ROUTE = OBJECTS["Route", "iris"]
PROBES = {name: probe for name, probe in CONTAINER.items() if name.endswith("Probe")}


def environment(container):
    return {name: entry["value"] for name, entry in named(container["env"]).items()}


def test_the_kinds_of_the_objects_in_the_template():
    assert (TEMPLATE["apiVersion"], TEMPLATE["kind"]) == ("template.openshift.io/v1", "Template")
    assert {key: item["apiVersion"] for key, item in OBJECTS.items()} == {
        ("ImageStream", "iris-built"): "image.openshift.io/v1",
        ("ImageStream", "iris"): "image.openshift.io/v1",
        ("Secret", "iris-github-webhook"): "v1",
        ("Secret", "iris-generic-webhook"): "v1",
        ("Secret", "iris-build"): "v1",
        ("BuildConfig", "iris-built"): "build.openshift.io/v1",
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


def test_the_message_names_existing_builds():
    message = TEMPLATE["message"].replace("${NAME}", "iris")
    names = re.findall(r"(?:buildconfig/|oc start-build )([\w-]+)", message)
    assert names == ["iris-built", "iris", "iris-built"]
    assert all(("BuildConfig", name) in OBJECTS for name in names)


def test_every_parameter_is_substituted():
    assert [text for text in strings(list(OBJECTS.values())) if "${" in text] == []


def test_core_objects_conform_to_their_schemas():
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


def test_the_build_is_an_incremental_s2i_build():
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
    assert BUILD["output"]["to"] == {"kind": "ImageStreamTag", "name": "iris-built:latest"}


def test_the_second_build_copies_the_result_of_the_first():
    built = BUILD["output"]["to"]
    assert SECOND["runPolicy"] == "SerialLatestOnly"
    assert SECOND["source"] == {
        "type": "Dockerfile",
        "dockerfile": DOCKERFILE,
        "images": [{"from": built, "as": ["built"]}],
    }
    # `from` replaces the image of the last stage; there is only one.
    assert SECOND["strategy"].keys() == {"type", "dockerStrategy"}
    assert SECOND["strategy"]["type"] == "Docker"
    assert SECOND["strategy"]["dockerStrategy"].keys() == {"from", "volumes"}
    # The predictor is called in both.
    assert SECOND["strategy"]["dockerStrategy"]["volumes"] == STRATEGY["volumes"]
    assert DOCKERFILE.count("FROM ") == 1
    assert SECOND["output"]["to"] == {"kind": "ImageStreamTag", "name": "iris:latest"}
    for build in (BUILD, SECOND):
        assert ("ImageStream", build["output"]["to"]["name"].partition(":")[0]) in OBJECTS


def test_the_second_build_starts_only_after_the_first_has_ended():
    """The other image exists from the start: its trigger would fire at once."""
    trigger = only(SECOND["triggers"])
    assert trigger == {"type": "ImageChange", "imageChange": {"from": BUILD["output"]["to"]}}


def test_the_second_build_requests_few_resources():
    assert SECOND["completionDeadlineSeconds"] < BUILD["completionDeadlineSeconds"]
    resources = SECOND["resources"]
    assert resources["limits"]["memory"] == BUILD["resources"]["limits"]["memory"]
    # A missing request defaults to the limit.
    assert resources["limits"].keys() <= resources["requests"].keys()


def test_model_images_have_their_own_labels():
    labels = [
        {label["name"]: label["value"] for label in build["output"]["imageLabels"]}
        for build in (BUILD, SECOND)
    ]
    for given in labels:
        assert given["io.k8s.display-name"] == "iris"
        assert "builder" not in given["io.openshift.tags"].split(",")
    assert labels[1]["org.opencontainers.image.title"] == "iris"
    runtime = CONTAINERFILE.partition("AS builder")[0]
    inherited = set(re.findall(r"org\.opencontainers\.image\.[\w.]+(?==)", runtime))
    assert inherited == {"org.opencontainers.image.base.name"}  # the model's base, too


@pytest.mark.parametrize(
    ("source", "stream"),
    [
        (STRATEGY["from"], STREAM),
        (SECOND["strategy"]["dockerStrategy"]["from"], RUNTIME_STREAM),
    ],
    ids=STREAMS,
)
def test_a_build_uses_a_tag_of_its_image_stream(source, stream):
    assert source["kind"] == "ImageStreamTag"
    name, _, tag = source["name"].partition(":")
    assert name == stream["metadata"]["name"]
    assert tag in named(stream["spec"]["tags"])
    assert source["namespace"] == ""  # the namespace of the build


@pytest.mark.parametrize("where", ["template", "pipeline", "page"])
def test_every_recipe_for_the_small_image_is_the_same(where):
    texts = {
        "template": SECOND["source"]["dockerfile"],
        "pipeline": STEPS["build"]["script"].partition("<<'END'\n")[2].partition("END\n")[0],
        "page": PAGE.partition("```dockerfile\n")[2].partition("```")[0],
    }
    before, _, lines = texts[where].rpartition("FROM ")
    assert f"FROM {lines}" == DOCKERFILE
    stages = re.findall(r"^FROM nachlass AS (\S+)$", before, re.MULTILINE)
    assert stages == (["built"] if where == "page" else [])


def test_the_triggers_of_a_build():
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
    assert "allowEnv" not in triggers["Generic"]["generic"]  # it would stay in the image


def test_the_volumes_of_a_build():
    volumes = named(STRATEGY["volumes"])
    assert volumes["credentials"]["mounts"] == [{"destinationPath": str(INJECTED)}]
    mounted = [mount["destinationPath"] for v in volumes.values() for mount in v["mounts"]]
    assert not POD_OF_A_BUILD & set(mounted)
    for volume in volumes.values():
        # A build needs all of its Secrets to start, and can mount each only once.
        assert volume["source"]["type"] == "Secret"
        secret = OBJECTS["Secret", volume["source"]["secret"]["secretName"]]
        assert secret.keys() == {"apiVersion", "kind", "metadata"}
    assert len({v["source"]["secret"]["secretName"] for v in volumes.values()}) == len(volumes)


def test_credentials_are_not_variables_of_the_build():
    assert STRATEGY["env"] == [{"name": "S2I_MODEL_NAME", "value": "iris"}]
    assert not [name for name in PARAMETERS if "PIP" in name or "INDEX" in name]


def test_no_file_contains_a_secret():
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
def test_probes_use_existing_endpoints(name):
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


def test_the_liveness_probe_is_more_patient_than_the_service():
    probe = PROBES["livenessProbe"]
    patience_s = probe["periodSeconds"] * probe["failureThreshold"]
    assert patience_s > Settings.from_environ({}).predict_timeout_s + GIL_ALLOWANCE_S


def test_the_router_waits_for_predictions():
    timeout = ROUTE["metadata"]["annotations"]["haproxy.router.openshift.io/timeout"]
    limit_s = Settings.from_environ({}).predict_timeout_s + GIL_ALLOWANCE_S
    assert int(re.fullmatch(r"(\d+)s", timeout)[1]) > limit_s


def test_there_is_enough_time_to_drain():
    command = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    program, seconds = command
    assert program == "sleep"
    assert int(seconds) > 0
    assert POD["terminationGracePeriodSeconds"] > int(seconds) + GRACEFUL_TIMEOUT_S


def test_ports_are_consistent():
    assert only(CONTAINER["ports"]) == {"name": "http", "containerPort": 8080}
    assert environment(CONTAINER)["PORT"] == "8080"
    assert only(SERVICE["ports"]) == {"name": "http", "port": 8080, "targetPort": "http"}
    assert ROUTE["spec"]["port"] == {"targetPort": "http"}
    assert ROUTE["spec"]["to"] == {"kind": "Service", "name": "iris"}
    assert ROUTE["spec"]["tls"]["termination"] == "edge"
    assert "EXPOSE 8080\n" in (PROJECT / "Containerfile").read_text(encoding="utf-8")


def test_the_pod_is_annotated_for_prometheus():
    annotations = DEPLOYMENT["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == "8080"
    assert "GET" in APP_ROUTES[annotations["prometheus.io/path"]]


def test_selectors_match_only_the_pods():
    labels = DEPLOYMENT["template"]["metadata"]["labels"].items()
    for selector in (DEPLOYMENT["selector"]["matchLabels"], SERVICE["selector"]):
        assert selector
        assert selector.items() <= labels
        # The label common to all objects does not make a pod part of the service.
        assert not selector.items() <= OBJECTS["BuildConfig", "iris"]["metadata"]["labels"].items()


def test_the_deployment_follows_the_build():
    annotations = OBJECTS["Deployment", "iris"]["metadata"]["annotations"]
    trigger = only(json.loads(annotations["image.openshift.io/triggers"]))
    assert trigger["from"] == SECOND["output"]["to"]
    name = CONTAINER["name"]
    path = f'spec.template.spec.containers[?(@.name=="{name}")].image'
    assert trigger["fieldPath"] == path
    assert CONTAINER["image"] == " "
    assert ("ImageStream", trigger["from"]["name"].partition(":")[0]) in OBJECTS


def test_a_deployment_waiting_for_its_first_image_is_not_reported_as_failed():
    builds_s = BUILD["completionDeadlineSeconds"] + SECOND["completionDeadlineSeconds"]
    probe = PROBES["startupProbe"]
    start_s = probe["periodSeconds"] * probe["failureThreshold"]
    assert DEPLOYMENT["progressDeadlineSeconds"] > builds_s + start_s


def test_the_pod_has_minimal_privileges():
    assert POD["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert unrestricted(POD) == {}
    assert POD["automountServiceAccountToken"] is False
    assert only(CONTAINER["volumeMounts"])["mountPath"] == "/tmp"
    assert only(POD["volumes"]) == {"name": "tmp", "emptyDir": {}}


def test_the_parameters_set_the_resources_and_settings_of_the_service():
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


@pytest.fixture
def service_monitor(tmp_path):
    """Return the ServiceMonitor of `nachlass monitoring` for the model of the template."""
    bundle = tmp_path / "bundle"
    (bundle / layout.SOURCE_FOLDER).mkdir(parents=True)
    document = example(name=only(STRATEGY["env"])["value"])
    (bundle / layout.MANIFEST).write_text(json.dumps(document), encoding="utf-8")
    for name in layout.missing_parts(bundle, decode(document)):
        (bundle / name).touch()
    monitoring(Request(str(bundle), {}), tmp_path / "monitoring", Thresholds())
    text = (tmp_path / "monitoring/kubernetes.yaml").read_text(encoding="utf-8")
    objects = {item["kind"]: item for item in yaml.safe_load_all(text)}
    return objects["ServiceMonitor"]


def test_the_service_monitor_selects_the_service_of_the_template(service_monitor):
    selector = service_monitor["spec"]["selector"]["matchLabels"]
    labels = OBJECTS["Service", "iris"]["metadata"]["labels"]
    assert selector
    assert selector.items() <= labels.items()
    assert "namespaceSelector" not in service_monitor["spec"]  # only its own namespace
    endpoint = only(service_monitor["spec"]["endpoints"])
    assert endpoint["targetPort"] == only(CONTAINER["ports"])["containerPort"]
    assert "GET" in APP_ROUTES[endpoint["path"]]


# The pipeline.

PIPELINE, BINDING, TRIGGER_TEMPLATE, LISTENER, WEBHOOK = documents("pipeline.yaml")
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
        ("route.openshift.io/v1", "Route"),
    ]
    assert (RUN["apiVersion"], RUN["kind"]) == ("tekton.dev/v1", "PipelineRun")
    assert list(STEPS) == ["clone", "generate", "build", "deploy"]


def test_parameters_are_passed_from_the_pipeline_to_its_tasks():
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
    assert of_tasks  # these references make `deploy` wait
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


def test_the_requirements_of_the_event_listener_are_present_or_documented():
    spec = WEBHOOK["spec"]
    assert spec["to"] == {"kind": "Service", "name": f"el-{LISTENER['metadata']['name']}"}
    assert spec["port"] == {"targetPort": "http-listener"}  # Tekton's name for the port
    assert spec["tls"]["termination"] == "edge"
    (file,) = (path for path in FILES if path.name == "pipeline.yaml")
    text = file.read_text(encoding="utf-8")
    github = only(LISTENER["spec"]["triggers"])["interceptors"][0]
    secret = named(github["params"])["secretRef"]["value"]
    create = f"oc create secret generic {secret['secretName']}"
    assert f"{create} --from-literal={secret['secretKey']}=" in text
    assert LISTENER["spec"]["serviceAccountName"] == "pipeline"
    for role in ("eventlistener-roles", "eventlistener-clusterroles"):
        assert f"tekton-triggers-{role}" in text


def test_a_push_provides_all_parameters_of_the_pipeline():
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
    version = __version__.rpartition(".")[0]
    for name, stream in (("builder", STREAM), ("runtime", RUNTIME_STREAM)):
        default = named(PIPELINE["spec"]["params"])[name]["default"]
        assert default == named(stream["spec"]["tags"])[version]["from"]["name"]
    assert STEPS["clone"]["image"] == "$(params.builder)"
    for name in ("generate", "build", "deploy"):
        _, _, tag = STEPS[name]["image"].rpartition(":")
        assert re.match(r"v?\d+\.\d+", tag)


@pytest.mark.parametrize("task", TASKS)
def test_steps_are_restricted_except_as_the_file_explains(task):
    spec = TASKS[task]["taskSpec"]
    found = unrestricted({"containers": spec["steps"], "volumes": spec.get("volumes", [])})
    if task == "deploy":
        assert found == {}
        return
    # pipelines-scc, which `build` needs, rejects pods with a seccompProfile.
    assert found.pop("build") == [
        *("allowPrivilegeEscalation", "capabilities.drop", "capabilities.add"),
        *("runAsNonRoot", "runAsUser", "seccompProfile"),
    ]
    assert found == {"clone": ["seccompProfile"], "generate": ["seccompProfile"]}
    # `baseline` allows it.
    assert STEPS["build"]["securityContext"]["capabilities"] == {"add": ["SETFCAP"]}
    assert "privileged" not in STEPS["build"]["securityContext"]
    assert not any("seccompProfile" in step["securityContext"] for step in spec["steps"])


def test_steps_that_write_the_same_files_run_as_one_user():
    users = {STEPS[name]["securityContext"]["runAsUser"] for name in ("clone", "generate")}
    assert users == {1001}


def test_scripts_contain_nothing_that_tekton_substitutes():
    for step in STEPS.values():
        assert not re.search(r"\$\((params|workspaces|results|tasks|context)\b", step["script"])


@pytest.fixture
def step(tmp_path):
    """Return a function that runs a step's script, with stubs that record their arguments."""
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
    """Create a repository with two branches; return a function that runs git in it."""
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
        "NAME": "iris",
        "COMMIT": tmp_path / "commit",
    }
    done, calls = step("generate", stub="echo FROM b:1 > context/Dockerfile", **given)
    assert done == 0
    assert only(calls) == (
        "s2i build ./repository b:1 --copy --context-dir=sub"
        " --env=OPENSHIFT_BUILD_SOURCE=https://example.org/me/iris.git"
        " --env=OPENSHIFT_BUILD_COMMIT=c0ffee --env=S2I_MODEL_NAME=iris"
        " --as-dockerfile=context/Dockerfile"
    )
    (tmp_path / "source/context/Dockerfile").unlink()
    (tmp_path / "source/context").rmdir()
    assert step("generate", **given)[0] != 0  # s2i reports success without a Dockerfile
    (tmp_path / "source/context").rmdir()
    assert step("generate", stub="echo FROM > context/Dockerfile; exit 1", **given)[0] != 0


LABELS = """\
org.opencontainers.image.title=iris
org.opencontainers.image.licenses=MIT OR "my own"

org.opencontainers.image.revision=c0ffee"""
ANSWER = f"""case $1 in
from) echo container;;
run) cat <<'END'
{LABELS}
END
esac"""
"""The stub of buildah: the file of labels has an empty line, which is allowed."""


def test_the_step_that_builds(step, tmp_path):
    given = {"IMAGE": "r/iris", "RUNTIME": "q/runtime:1", "DIGEST": "/d"}
    done, calls = step("build", stub=ANSWER, **given)
    assert done == 0
    bare, *others = calls
    shared = "buildah bud --isolation=chroot --format=docker --layers=false"
    labels = [f"--label={label}" for label in LABELS.splitlines() if label]
    assert bare == f"{shared} --file=context/Dockerfile --tag=localhost/built context"
    small = "--from=q/runtime:1 --file=small/Dockerfile --tag=localhost/model small"
    assert others == [
        "buildah from --pull=false localhost/built",
        "buildah run --isolation=chroot --user=0 container -- cat /opt/app-root/labels",
        "buildah rm container",
        f"{shared} {' '.join(labels)} {small}",
        "buildah push --digestfile=/d localhost/model docker://r/iris",
    ]
    assert (tmp_path / "source/small/Dockerfile").read_text() == DOCKERFILE


def test_mounts_are_available_for_both_images(step, tmp_path):
    """Mount data for both builds: the second one calls the predictor, which may read it."""
    given = {"IMAGE": "r/iris", "RUNTIME": "q/runtime:1", "DIGEST": "/d"}
    _, bare = step("build", stub=ANSWER, **given)
    (tmp_path / "source/small/Dockerfile").unlink()
    (tmp_path / "source/small").rmdir()
    mounted = {"CREDENTIALS": "/c", "DATA": "/my/data"}
    done, calls = step("build", stub=ANSWER, **given, **mounted)
    assert done == 0
    volumes = f" --volume=/c:{INJECTED}:ro --volume=/my/data:/data:ro"
    assert [call.replace(volumes, "") for call in calls] == bare
    assert [volumes in call for call in calls] == ["buildah bud" in call for call in calls]


def test_a_failed_build_step_pushes_nothing(step):
    given = {"IMAGE": "r/iris", "RUNTIME": "q/runtime:1"}
    done, calls = step("build", stub="exit 1", **given)
    assert done != 0
    assert len(calls) == 1
    done, calls = step("build", stub=f'case "$*" in *small) exit 1; esac\n{ANSWER}', **given)
    assert done != 0
    assert calls[-1].endswith(" small")


def test_without_a_runtime_the_s2i_image_is_pushed(step):
    done, (build, push) = step("build", stub=ANSWER, IMAGE="r/iris", DIGEST="/d")
    assert done == 0
    assert build.endswith(" --tag=localhost/built context")
    assert push == "buildah push --digestfile=/d localhost/built docker://r/iris"


def test_the_step_that_deploys(step):
    done, calls = step("deploy", NAME="iris", IMAGE="r/iris@sha256:1")
    assert done == 0
    assert calls == [
        f"oc set image deployment/iris {CONTAINER['name']}=r/iris@sha256:1",
        "oc rollout status deployment/iris --timeout=10m",
    ]


# All files.


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_explains_its_purpose_and_how_to_apply_it(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    first, second, third = lines[:3]
    assert first.startswith("# ")
    assert second.startswith("# ")
    assert not third.startswith("#")
    assert path.name in second
    assert "oc apply -f" in second
    assert max(map(len, lines)) <= 100
