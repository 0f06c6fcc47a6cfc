import os

import pytest

from nachlass_builder.foundation.credentials import public_url, redact
from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.packages import pip_configuration
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.uv_program import uv_arguments, uv_environment

INDEX = "https://joe:open%2Fsesame@index.example/simple"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return the variables of a user whose only configuration is written by the test."""
    monkeypatch.setattr(pip_configuration, "MACHINE_FILE", tmp_path / "etc/pip.conf")
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_DIRS": str(tmp_path / "etc"),
        "VIRTUAL_ENV": str(tmp_path / "venv"),
    }


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def read(machine, root=None, **variables):
    return IndexSettings.read({**machine, **variables}, root)


def test_variables_override_files_and_install_overrides_global(tmp_path, machine):
    write(tmp_path / "etc/pip/pip.conf", "[install]\nindex-url = https://install.example\n")
    write(
        tmp_path / "home/.config/pip/pip.conf",
        "[global]\nindex-url = https://user.example\ntimeout = 7\n",
    )
    assert read(machine).index_url == "https://install.example"
    assert read(machine).timeout_s == "7"
    assert read(machine, PIP_INDEX_URL="https://env.example").index_url == "https://env.example"
    assert read(machine, PIP_INDEX_URL="").index_url == "https://install.example"


def test_the_newer_file_of_the_user_and_the_environments_file_win(tmp_path, machine):
    for place in ("home/.pip", "home/.config/pip", "venv"):
        write(tmp_path / place / "pip.conf", f"[global]\nindex-url = https://{place}\n")
        assert read(machine).index_url == f"https://{place}"


def test_a_named_file_replaces_the_users_files(tmp_path, machine):
    write(tmp_path / "home/.pip/pip.conf", "[global]\ntimeout = 7\n")
    write(tmp_path / "mine.conf", "[global]\nretries = 2\n")
    settings = read(machine, PIP_CONFIG_FILE=str(tmp_path / "mine.conf"))
    assert (settings.timeout_s, settings.retries) == (None, "2")
    assert read(machine, PIP_CONFIG_FILE=str(tmp_path / "absent")).timeout_s == "7"
    assert read(machine, PIP_CONFIG_FILE=os.devnull).timeout_s is None


def test_an_invalid_file_is_named_and_not_quoted(tmp_path, machine):
    write(tmp_path / "home/.pip/pip.conf", "[global]\nindex-url sesame\n")
    with pytest.raises(RequirementsError) as raised:
        read(machine)
    assert "sesame" not in str(raised.value)
    assert raised.value.place.line == 2


def test_lists_are_separated_by_spaces_for_pip_and_by_commas_for_uv(tmp_path, machine):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    settings = read(machine, PIP_FIND_LINKS=f"{tmp_path}/one\n {tmp_path}/two https://l.example/")
    links = uv_environment(settings)["UV_FIND_LINKS"]
    assert links == f"{tmp_path}/one,{tmp_path}/two,https://l.example/"


def test_a_folder_can_be_a_path_or_a_file_url(tmp_path, machine, monkeypatch):
    (tmp_path / "home/my wheels").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    links = (f"file:{tmp_path}", f"file://{tmp_path}/home/my%20wheels")
    assert read(machine, PIP_FIND_LINKS=" ".join(links)).find_links == links
    settings = read(machine, tmp_path).with_options(["-f", "~", "--find-links=./home/../home"])
    assert settings.find_links == (str(tmp_path / "home"),) * 2


def test_missing_folders_are_skipped_and_reported(tmp_path, machine):
    settings = read(machine, PIP_FIND_LINKS=f"{tmp_path}/absent file://{tmp_path}/gone")
    assert settings.find_links == ()
    assert settings.missing_links == (f"{tmp_path}/absent", f"file://{tmp_path}/gone")


def test_several_indexes_are_compared_as_by_pip_and_index_url_is_first(machine):
    settings = read(machine, PIP_INDEX_URL=INDEX, PIP_EXTRA_INDEX_URL="https://b.example https://c")
    uv_variables = uv_environment(settings)
    assert uv_variables["UV_INDEX"] == f"{INDEX} https://b.example"
    assert uv_variables["UV_DEFAULT_INDEX"] == "https://c"
    assert uv_variables["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_a_single_index_is_the_default_index(machine):
    uv_variables = uv_environment(read(machine, PIP_INDEX_URL=INDEX))
    assert uv_variables["UV_DEFAULT_INDEX"] == INDEX
    assert "UV_INDEX" not in uv_variables
    assert "UV_INDEX_STRATEGY" not in uv_variables
    assert uv_variables["UV_SYSTEM_CERTS"] == "1"


def test_variables_of_uv_take_precedence(machine):
    settings = read(
        machine,
        PIP_INDEX_URL="https://pip.example",
        PIP_EXTRA_INDEX_URL="https://extra.example",
        UV_INDEX_URL="https://uv.example",
        UV_SYSTEM_CERTS="0",
        UV_INDEX_STRATEGY="first-index",
    )
    uv_variables = uv_environment(settings)
    assert "UV_DEFAULT_INDEX" not in uv_variables
    assert "UV_INDEX" not in uv_variables
    assert (uv_variables["UV_SYSTEM_CERTS"], uv_variables["UV_INDEX_STRATEGY"]) == (
        "0",
        "first-index",
    )
    assert not [name for name in uv_variables if name.startswith("PIP_")]


def test_no_index_keeps_only_the_links(tmp_path, machine):
    write(tmp_path / "root/wheels/a-1-py3-none-any.whl", "")
    settings = read(machine, tmp_path / "root", PIP_NO_INDEX="yes", PIP_INDEX_URL=INDEX)
    assert settings.wheelhouse == tmp_path / "root/wheels"
    assert settings.places == (str(tmp_path / "root/wheels"),)
    assert uv_arguments(settings) == ["--no-index"]
    assert "UV_DEFAULT_INDEX" not in uv_environment(settings)


def test_credentials_for_the_denying_index_are_recognized(tmp_path, machine):
    message = "An index URL (https://index.example/simple) could not be queried (401 Unauthorized)"
    assert read(machine, PIP_INDEX_URL=INDEX).user_given(message)
    assert read(machine, UV_INDEX=f"mine={INDEX}/ https://b.example").user_given(message)
    assert not read(machine, PIP_INDEX_URL="https://joe:pw@b.example").user_given(message)
    assert not read(machine, PIP_INDEX_URL="https://index.example/simple").user_given(message)
    write(tmp_path / "home/.netrc", "machine index.example login joe password sesame\n")
    assert read(machine).user_given(message)
    assert not read(machine).user_given(message.replace("index.example", "b.example"))
    assert read(machine).user_given("https://index.example:8443/simple: 401 Unauthorized")
    write(tmp_path / "mine", "machine b.example login joe password sesame\n")
    named = read(machine, NETRC=str(tmp_path / "mine"))
    assert named.user_given("https://b.example/simple: 401 Unauthorized")
    assert not named.user_given(message)


@pytest.mark.parametrize("content", [b"no netrc", b"machine \xff login a password b\n"])
def test_an_unreadable_netrc_has_no_credentials(tmp_path, machine, content):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.netrc").write_bytes(content)
    assert not read(machine).user_given("https://index.example/simple: 401 Unauthorized")


def test_an_invalid_switch_is_rejected(machine):
    with pytest.raises(RequirementsError, match="maybe") as caught:
        read(machine, PIP_NO_INDEX="maybe")
    assert caught.value.remedy == "use 1 or 0"


def test_switches_accept_the_same_values_as_pip(machine):
    for is_on, words in ((True, "y yes T true on 1"), (False, "N no f false off 0")):
        for word in words.split():
            assert read(machine, PIP_NO_INDEX=word).no_index is is_on


def test_options_without_effect_are_reported_unless_they_are_harmless(machine):
    settings = read(machine, PIP_REQUIRE_HASHES="1", PIP_QUIET="1", PIP_RETRIES="3")
    assert settings.unsupported == ("require-hashes",)
    assert settings.with_options(["--pre"]).unsupported == ("require-hashes",)


def test_other_options_are_translated(tmp_path, machine):
    settings = read(
        machine,
        PIP_CERT="/ca.pem",
        PIP_CLIENT_CERT="/me.pem",
        PIP_TRUSTED_HOST="a.example b.example:8080",
        PIP_DEFAULT_TIMEOUT="99",
        PIP_RETRIES="1",
        PIP_PRE="1",
        PIP_PROXY="http://proxy.example:3128",
        PYTHONPATH="/elsewhere",
    )
    uv_variables = uv_environment(settings)
    expected = {
        "SSL_CERT_FILE": "/ca.pem",
        "SSL_CLIENT_CERT": "/me.pem",
        "UV_INSECURE_HOST": "a.example b.example:8080",
        "UV_HTTP_TIMEOUT": "99",
        "UV_HTTP_RETRIES": "1",
        "UV_PRERELEASE": "allow",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "HTTP_PROXY": "http://proxy.example:3128",
    }
    assert uv_variables.items() >= expected.items()
    assert "PYTHONPATH" not in uv_variables


def test_formats_are_normalized_and_the_last_one_wins(machine):
    settings = read(machine, PIP_ONLY_BINARY=":all:").with_options(["--no-binary", "Foo_Bar,baz"])
    assert settings.only_binary == (":all:",)
    assert settings.no_binary == ("foo-bar", "baz")
    assert settings.with_options(["--only-binary=baz"]).no_binary == ("foo-bar",)
    assert settings.with_options(["--no-binary", ":none:"]).no_binary == ()
    assert settings.with_options(["--no-binary", "a,:none:,b,c"]).no_binary == ("b", "c")


def test_options_of_requirements_files_are_applied(tmp_path, machine):
    (tmp_path / "vendor").mkdir()
    settings = read(machine, tmp_path, TOKEN="t0ken-of-mine").with_options(
        [
            *("-i", "https://${TOKEN}@own.example/simple"),
            "--extra-index-url=https://extra.example",
            "--find-links ./vendor",
            *("--use-feature", "anything"),
            "--pre",
        ]
    )
    assert settings.index_url == "https://t0ken-of-mine@own.example/simple"
    assert settings.extra_index_urls == ("https://extra.example",)
    assert settings.find_links == (str(tmp_path / "vendor"),)
    assert settings.pre
    assert "t0ken-of-mine" in settings.secrets
    assert "t0ken" not in repr(settings)


def test_unset_variables_and_quotes_inside_words_are_kept():
    urls = ("https://${ABSENT}@a.example", "https://b.example/it's")
    settings = IndexSettings().with_options([f"--extra-index-url={url}" for url in urls])
    assert settings.extra_index_urls == urls


def test_unparsable_options_are_rejected(machine):
    with pytest.raises(RequirementsError, match="cannot parse pip's options: No closing quotation"):
        read(machine).with_options(["--find-links", "./it's here"])


def test_secrets_are_recognized_encoded_and_decoded(machine):
    secrets = read(machine, PIP_INDEX_URL=INDEX, UV_INDEX_MINE_PASSWORD="hunter2!").secrets
    assert secrets >= {"open%2Fsesame", "open/sesame", "hunter2!"}
    assert read(machine, PIP_INDEX_URL="https://a:b@c.example").secrets == frozenset()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://joe:pw@x.example/y failed", "GET https://***@x.example/y failed"),
        ("https://a:b@c.example", "https://***@c.example"),
        ("https://joe:p@ss@x.example/", "https://***@x.example/"),
        ("git+ssh://git@x.example/y.git", "git+ssh://git@x.example/y.git"),
        ("git@x.example:y.git, a@b", "git@x.example:y.git, a@b"),
        ("password was open/sesame", "password was ***"),
        ("https://x.example/y.whl?sig=abc&v=1", "https://x.example/y.whl?sig=***&v=1"),
    ],
)
def test_secrets_are_redacted(text, shown):
    assert redact(text, ["open/sesame", "a", ""]) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://joe:pw@x.example/y.whl", "https://x.example/y.whl"),
        ("git+ssh://git@x.example/y", "git+ssh://git@x.example/y"),
        ("ssh://joe:pw@x.example/y", "ssh://joe@x.example/y"),
        ("https://x.example/y.whl?X-Amz-Signature=abc", "https://x.example/y.whl"),
        ("https://x.example/y.whl?token=abc&v=1#sha256=0", "https://x.example/y.whl?v=1#sha256=0"),
    ],
)
def test_public_urls_have_no_credentials(url, shown):
    assert public_url(url) == shown


def test_settings_follow_a_moved_source(tmp_path):
    root, moved = tmp_path / "before", tmp_path / "after"
    (root / "wheels").mkdir(parents=True)
    (root / "wheels/kappa-1.0-py3-none-any.whl").touch()
    (root / "more").mkdir()
    environ = {"PIP_INDEX_URL": "https://example.org/simple", "PIP_CERT": "/etc/ca.pem"}
    settings = IndexSettings.read(environ, root).with_options(["--find-links=more"])
    root.rename(moved)
    after = settings.of_source(moved)
    assert after.root == moved
    assert after.wheelhouse == moved / "wheels"
    assert {str(moved / "more"), str(moved / "wheels")} <= {*after.find_links}
    assert not any(link.startswith(str(root)) for link in after.find_links)
    assert (after.index_url, after.cert) == ("https://example.org/simple", "/etc/ca.pem")
    assert IndexSettings().of_source(moved) == IndexSettings(root=moved)
