"""The version is defined once, and files that cannot read it have the same one."""

import re
import tomllib

import nachlass_builder
import nachlass_service
from support.project import PROJECT

VERSION = nachlass_service.__version__


def read(name):
    return (PROJECT / name).read_text(encoding="utf-8")


def test_the_builder_has_the_version_of_the_service():
    assert nachlass_builder.__version__ == VERSION
    source = {"path": "service/nachlass_service/__init__.py"}
    assert tomllib.loads(read("pyproject.toml"))["tool"]["hatch"]["version"] == source


def test_images_have_the_same_version():
    assert re.findall(r"^ARG VERSION=(.*)$", read("Containerfile"), re.MULTILINE) == [VERSION]
    minor = VERSION.rpartition(".")[0]
    images = re.findall(r"default: quay\.io/\S+:(\S+)", read("s2i/openshift/pipeline.yaml"))
    assert images == [minor] * len(images)
    assert set(re.findall(r"name: \"([\d.]+)\"", read("s2i/openshift/imagestream.yaml"))) == {minor}


def test_both_distributions_have_the_same_metadata():
    ours, service = (
        tomllib.loads(read(n))["project"] for n in ("pyproject.toml", "service/pyproject.toml")
    )
    assert ours["urls"] == service["urls"]
    assert ours["requires-python"] == service["requires-python"]
    pythons = [
        [line for line in project["classifiers"] if "Python :: 3." in line]
        for project in (ours, service)
    ]
    assert pythons[0] == pythons[1]
