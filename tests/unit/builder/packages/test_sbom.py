import json
import sys
from dataclasses import replace
from importlib.metadata import Distribution

import pytest
import tomli_w
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from nachlass_builder.bundle.manifest import decode, load_manifest
from nachlass_builder.packages.licences import licences_of
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.sbom import bill_of_materials, renewed
from support.manifest import example

MANIFEST = decode(example(name="toy", version="v1", created="2026-01-02T03:04:05+00:00"))
PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"
PURE = "py3-none-any"
NARROW = f"{PYTHON}-none-any"


def digest(name):
    return name.encode().hex().ljust(64, "0")


def file_of(name):
    return {"url": f"https://example.org/{name}", "hashes": {"sha256": digest(name)}}


def wheels_of(name, *tags):
    return {"version": "1.0", "wheels": [file_of(f"{name}-1.0-{tag}.whl") for tag in tags]}


@pytest.fixture
def bill(tmp_path):
    """Return a function for the decoded bill of distributions and its summary."""

    def install(name, *lines, tag=PURE):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        metadata = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines, ""]
        (info / "METADATA").write_text("\n".join(metadata))
        (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nTag: {tag}\n")

    def make(locked, installed, requirements=(), manifest=MANIFEST, **named):
        for name, lines in installed.items():
            install(name, *lines, **named)
        packages = [{"name": name, **entry} for name, entry in locked.items()]
        text = tomli_w.dumps({"lock-version": "1.0", "created-by": "hand", "packages": packages})
        made = bill_of_materials(manifest, Lock(text, text, tmp_path), tmp_path, requirements)
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made.text) is None
        return json.loads(made.text), made.summary

    return make


def only(document):
    (component,) = document["components"]
    return component


def test_the_bill_lists_components_dependencies_and_the_model(bill):
    document, summary = bill(
        {name: wheels_of(name, PURE) for name in ("alpha", "beta", "gamma")},
        {
            "alpha": ["License-Expression: MIT", "Requires-Dist: Beta[more]"],
            "beta": ["License: BSD", "Requires-Dist: gamma; extra == 'more'"],
            "gamma": ["License-Expression: MIT"],
            "nachlass_service": ["Requires-Dist: absent"],
        },
        ["alpha>=1", "not-installed"],
    )
    assert summary == "bill of materials: 4 components, licences: MIT 2, BSD 1, unknown 1"
    root = document["metadata"]["component"]
    assert (root["type"], root["name"], root["version"]) == ("machine-learning-model", "toy", "v1")
    depends = {entry["ref"]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    assert depends == {
        "model": ["alpha==1.0", "nachlass-service==1.0"],
        "alpha==1.0": ["beta==1.0"],
        "beta==1.0": ["gamma==1.0"],
        "gamma==1.0": [],
        "nachlass-service==1.0": [],
    }
    service = next(one for one in document["components"] if one["name"] == "nachlass_service")
    assert service["properties"] == [{"name": "nachlass:licence", "value": "unknown"}]
    assert not service.keys() & {"purl", "hashes", "licenses"}


def test_the_same_facts_give_the_same_bill(bill):
    locked, installed = {"alpha": wheels_of("alpha", PURE)}, {"alpha": ["License: MIT"]}
    first, _ = bill(locked, installed)
    assert bill(locked, installed)[0] == first
    assert first["metadata"]["timestamp"] == MANIFEST.created
    manifest = replace(MANIFEST, created="2026-01-02T03:04:06+00:00")
    later, _ = bill(locked, installed, manifest=manifest)
    assert later["serialNumber"] != first["serialNumber"]


@pytest.mark.parametrize(
    ("tags", "installed_tag", "known"),
    [
        ((PURE,), "something-else-entirely", PURE),
        ((PURE, NARROW), PURE, PURE),
        ((PURE, NARROW), NARROW, NARROW),
        ((PURE, "cp39-cp39-win_amd64"), PURE, PURE),
        ((PURE, NARROW), "something-else-entirely", None),
    ],
)
def test_the_hash_is_that_of_the_installed_file_if_it_is_known(bill, tags, installed_tag, known):
    document, _ = bill({"alpha": wheels_of("alpha", *tags)}, {"alpha": []}, tag=installed_tag)
    component = only(document)
    hashes = [entry["content"] for entry in component.get("hashes", [])]
    named = [entry["hashes"][0]["content"] for entry in component["externalReferences"]]
    if known:
        assert hashes == named == [digest(f"alpha-1.0-{known}.whl")]
    else:
        assert hashes == []
        assert sorted(named) == sorted(digest(f"alpha-1.0-{tag}.whl") for tag in tags)


@pytest.mark.parametrize(
    ("locked", "purl", "kind"),
    [
        (
            {"version": "1.0", "sdist": file_of("alpha-1.0.tar.gz")},
            "pkg:pypi/alpha@1.0",
            "source-distribution",
        ),
        (
            {"archive": file_of("alpha.zip")},
            "pkg:pypi/alpha@1.0?download_url=https://example.org/alpha.zip",
            "source-distribution",
        ),
        (
            {"vcs": {"type": "git", "url": "https://example.org/a.git", "commit-id": "c" * 40}},
            f"pkg:pypi/alpha@1.0?vcs_url=git%2Bhttps://example.org/a.git%40{'c' * 40}",
            "vcs",
        ),
        ({"directory": {"path": "src/alpha"}}, None, None),
        (
            {"archive": {"path": "/tmp/alpha.tar.gz", "hashes": {"sha256": digest("a")}}},
            None,
            None,
        ),
    ],
)
def test_packages_built_from_source_have_no_hash(bill, locked, purl, kind):
    component = only(bill({"alpha": locked}, {"alpha": []})[0])
    assert "hashes" not in component
    assert component.get("purl") == purl
    assert [one["type"] for one in component.get("externalReferences", [])] == [kind] * bool(kind)


def test_rare_licences_are_counted_together(bill):
    installed = {f"p{number}": [f"License: Own {number}"] for number in range(9)}
    _, summary = bill({}, installed)
    assert summary.endswith(
        "licences: Own 0 1, Own 1 1, Own 2 1, Own 3 1, Own 4 1, Own 5 1, others 3"
    )


@pytest.mark.parametrize(
    ("lines", "licences"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: GPL"], ["MIT OR Apache-2.0"]),
        (["License: apache-2.0"], ["Apache-2.0"]),
        (["License: MIT OR Apache-2.0"], ["MIT OR Apache-2.0"]),
        (
            ["License: MPL", "Classifier: License :: OSI Approved :: ISC License (ISCL)"],
            ["ISC"],
        ),
        (
            ["License: BSD 3-Clause License", "Classifier: License :: OSI Approved :: BSD License"],
            ["BSD 3-Clause License"],
        ),
        (
            [
                "License: Copyright\n        all of\n        it",
                "Classifier: License :: Public Domain",
            ],
            ["Public Domain"],
        ),
        (["License: UNKNOWN"], []),
        (["Classifier: License :: OSI Approved"], []),
        (
            [
                "Classifier: License :: OSI Approved :: MIT License",
                "Classifier: License :: OSI Approved :: BSD License",
            ],
            ["BSD License", "MIT License"],
        ),
        ([], []),
    ],
)
def test_licences_come_from_the_metadata(tmp_path, lines, licences):
    info = tmp_path / "alpha-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", "Name: alpha", *lines, ""]))
    assert licences_of(Distribution.at(info)) == licences


@pytest.mark.starts_programs
def test_the_bill_of_a_bundle_matches_its_manifest(kmeans):
    text = (kmeans / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    manifest = json.loads((kmeans / "manifest.json").read_text())
    assert document["metadata"]["component"]["name"] == manifest["name"]
    listed = {one["purl"]: one for one in document["components"] if "purl" in one}
    assert listed.keys() == {f"pkg:pypi/{n}@{v}" for n, v in manifest["packages"].items()}
    for component in listed.values():
        assert component["hashes"][0]["alg"] == "SHA-256"
        assert component["licenses"]
    depends = {entry["ref"]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    numpy = f"numpy=={manifest['packages']['numpy']}"
    assert numpy in depends[f"scikit-learn=={manifest['packages']['scikit-learn']}"]


@pytest.mark.starts_programs
def test_the_bill_of_another_commit_differs_only_in_its_metadata(kmeans):
    text, manifest = (kmeans / "sbom.cdx.json").read_text(), load_manifest(kmeans)
    assert renewed(text, manifest) == text
    later = replace(manifest, version="v2", created="2026-01-02T03:04:06+00:00")
    bills = [json.loads(bill) for bill in (text, renewed(text, later))]
    changed = [bill.pop("serialNumber") for bill in bills]
    assert changed[0] != changed[1]
    assert bills[1]["metadata"].pop("timestamp") == later.created
    assert bills[1]["metadata"]["component"].pop("version") == "v2"
    del bills[0]["metadata"]["timestamp"], bills[0]["metadata"]["component"]["version"]
    assert bills[0] == bills[1]
