"""The stages of `nachlass image`: their users, commands, mounts and quoted values."""

import re
import shlex

import pytest

from nachlass_builder.image.dockerfile import Stages

PLAIN = Stages(
    builder="builder:1",
    runtime="runtime:1",
    variables={},
    secrets=[],
    base_labels={"base.name": "debian"},
    labels={"title": "iris"},
    has_packages=False,
    has_wheels=False,
    force=False,
)


def stages(**changes):
    """Return the lines of each stage by its name; the last has none."""
    text = Stages(**{**vars(PLAIN), **changes}).dockerfile()
    found = {}
    for line in text.replace("\\\n", "\n").splitlines():
        if line.startswith("FROM "):
            name = line.partition(" AS ")[2]
            found[name] = []
        found[name].append(line)
    return found


def test_the_image_is_based_on_the_runtime_and_not_on_the_builder():
    found = stages()
    assert found["model"][0] == "FROM builder:1 AS model"
    assert found["environment"][0] == "FROM runtime:1 AS environment"
    assert found[""][0] == "FROM environment"


def test_the_environment_of_one_base_is_not_reused_for_another():
    assert stages()["environment"][1] == 'LABEL base.name="debian"'


def test_root_owns_the_served_files_and_another_user_serves_them():
    found = stages(has_packages=True, has_wheels=True)
    for line in (*found["environment"], *found[""]):
        assert not line.startswith("COPY ") or line.startswith("COPY --chown=0:0 ")
    for lines in (found["model"], found["environment"]):
        assert [line for line in lines if line.startswith("USER")] == ["USER 0", "USER 1001"]
    assert found[""][-1].endswith(" prove")
    assert "--mount=type=tmpfs,target=/tmp " in found[""][-1]  # leaves no files in the image


def test_the_source_and_the_results_of_the_notebook_are_separate_layers():
    copied = [line.split()[3] for line in stages()[""] if "--from=model" in line]
    assert copied == ["/opt/app-root/.source/", "/opt/app-root/.build/"]


def test_the_notebook_is_never_executed_as_root():
    lines = stages(has_packages=True)["model"]
    runs = [index for index, line in enumerate(lines) if line.endswith("image_stages model")]
    assert len(runs) == 1
    assert lines.index("USER 1001") < runs[0]


def test_system_packages_are_installed_before_the_environment_and_only_if_named():
    assert not [line for line in stages()["model"] if "install-packages" in line]
    assert [line for line in stages(has_packages=True)["model"] if "install-packages" in line]
    lines = stages()["environment"]
    [installed] = [index for index, line in enumerate(lines) if "install-packages" in line]
    [copied] = [index for index, line in enumerate(lines) if "pylock.serving.toml" in line]
    assert installed < copied  # a new lock does not install them again


def test_secrets_are_mounted_only_in_build_steps_and_never_copied():
    found = stages(secrets=["pip.conf", "parameters.json"])
    for lines in found.values():
        for line in lines:
            mounted = re.findall(r"type=secret,id=([\w.]+),target=/tmp/injected/([\w.]+)", line)
            runs_ours = "image_stages" in line
            names = ["pip.conf", "parameters.json"] if runs_ours else []
            assert mounted == [(name, name) for name in names]
            assert runs_ours or "pip.conf" not in line


@pytest.mark.parametrize("value", ["a $b", 'say "x"', "back\\slash", "it's"])
def test_values_are_quoted(value):
    found = stages(variables={"S2I_SAMPLES": value}, labels={"title": value})
    [variable] = [line for line in found["model"] if line.startswith("ENV ")]
    [label] = [line for line in found[""] if line.startswith("LABEL ")]
    for line, begin in ((variable, "ENV S2I_SAMPLES="), (label, "LABEL title=")):
        assert shlex.split(line.removeprefix(begin).replace("\\$", "$")) == [value]
        assert not re.search(r"(?<!\\)\$", line)


def test_a_forced_build_resolves_the_requirements_again():
    assert stages(force=True)["model"][-1].endswith("image_stages model --force")
