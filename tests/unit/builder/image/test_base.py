"""The base image and its digest, which is never guessed."""

from types import SimpleNamespace

import pytest

from nachlass_builder.image.base import Base

DIGEST = "sha256:" + 64 * "0"
NAME, AT = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"


def engine(*images, digest=None):
    """Return an engine with images and a known digest; pulling adds an image."""
    has = list(images)
    return SimpleNamespace(has=has.__contains__, pull=has.append, digest=lambda _name: digest)


@pytest.mark.parametrize(
    ("text", "known", "labels", "reference"),
    [
        ("debian:13", DIGEST, {NAME: "debian:13", AT: DIGEST}, f"debian@{DIGEST}"),
        ("debian:13", None, {NAME: "debian:13"}, "debian:13"),
        (f"debian@{DIGEST}", "other", {NAME: "debian", AT: DIGEST}, f"debian@{DIGEST}"),
        ("r:5000/d", DIGEST, {NAME: "r:5000/d", AT: DIGEST}, f"r:5000/d@{DIGEST}"),
    ],
)
def test_a_base_is_pinned_to_its_resolved_digest(text, known, labels, reference):
    base = Base.named(text).resolved(engine(digest=known))
    assert base.labels == labels
    assert base.reference == reference


def test_the_digest_of_a_local_image_is_not_used():
    local = engine("debian:13", digest=DIGEST)
    local.pull = pytest.fail
    assert Base.named("debian:13").resolved(local).labels == {NAME: "debian:13"}
