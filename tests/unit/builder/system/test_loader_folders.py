"""The library search folders of a dynamic loader, from its configuration."""

import pytest

from nachlass_builder.system.loader_folders import loader_folders


@pytest.fixture
def folders(tmp_path):
    """Return a function for the loader's folders in a root with these folders and files."""
    root = tmp_path.resolve()

    def find(existing, **files):
        for name in existing:
            (root / name).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = root / "etc" / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return [str(folder.relative_to(root)) for folder in loader_folders(root)]

    return find


def test_the_configuration_of_debian_is_read(folders):
    found = folders(
        ["usr/lib/x86_64-linux-gnu", "usr/local/lib", "usr/lib64", "opt/a b"],
        **{
            "ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n\n",
            "ld.so.conf.d__b.conf": "# Multiarch support\n/usr/lib/x86_64-linux-gnu\n/none\n",
            "ld.so.conf.d__a.conf": "/usr/local/lib  # first\nhwcap 1 nosegneg\nrelative\n",
            "ld.so.conf.d__c.txt": "/opt/a",
        },
    )
    assert found == ["usr/local/lib", "usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib"]


def test_the_configuration_of_fedora_is_read(folders):
    found = folders(
        ["usr/lib64/atlas", "usr/lib", "usr/local/lib"],
        **{
            "ld.so.conf": "include ld.so.conf.d/*.conf",
            "ld.so.conf.d__atlas.conf": "/usr/lib64/atlas=libc6\ninclude /etc/ld.so.conf",
        },
    )
    assert found == ["usr/lib64/atlas", "usr/lib64", "usr/lib"]


def test_linked_folders_are_listed_once(folders, tmp_path):
    (tmp_path / "usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    assert folders([]) == ["usr/lib/x86_64-linux-gnu", "usr/lib"]


def test_the_configuration_of_alpine_is_read(folders, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/ld-musl-x86_64.so.1").touch()
    existing = ["usr/lib", "usr/local/lib", "opt/a", "opt/b"]
    assert folders(existing) == ["usr/local/lib", "lib", "usr/lib"]
    more = {"ld-musl-x86_64.path": "/opt/a:/opt/b\n"}
    assert folders(existing, **more)[:3] == ["opt/a", "opt/b", "usr/local/lib"]


def test_an_unknown_system_has_no_folders(folders):
    assert folders([]) == []
