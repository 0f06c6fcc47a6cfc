"""The distribution to suggest for a missing module."""

import pytest

from support.manifest import bundle_with

LEFT_OUT = {
    "rare-tool": ["rare_tool"],
    "storage": ["cloud.storage"],
    "queries": ["cloud.queries"],
    "nvidia-nccl-cu12": ["nvidia.nccl.include", "nvidia.nccl.lib"],
}


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("rare-tool", "rare-tool"),
        ("rare_tool", "rare-tool"),
        ("rare_tool.inner", "rare-tool"),
        ("rare", None),
        ("cloud.storage", "storage"),
        ("nvidia", "nvidia-nccl-cu12"),
        ("nvidia.nccl", "nvidia-nccl-cu12"),
        ("nvid", None),
        # Two distributions are possible.
        ("cloud", None),
    ],
)
def test_a_missing_module_is_recognized_by_name_module_or_namespace(tmp_path, missing, named):
    slim = {"all_because": None, "kept": {}, "left_out": LEFT_OUT}
    assert bundle_with(tmp_path, slim=slim).left_out(missing) == named
