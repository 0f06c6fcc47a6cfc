import pytest

from nachlass_builder.system import apt, debian_archive
from support.fake_apt import FakeApt


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Return fake apt and dpkg programs for the tests of this room."""
    made = FakeApt(tmp_path / "fake")
    monkeypatch.setenv("PATH", made.environ["PATH"])
    for module in (apt, debian_archive):
        monkeypatch.setattr(module, "HELPER", made.bin / "apt-helper")
    monkeypatch.setattr(apt, "INSTALLED", made.folder / "status")
    return made
