"""Any pip file or variable is read as by pip, or rejected."""

import configparser
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pip._internal.cli.parser import ConfigOptionParser
from pip._internal.utils.misc import strtobool

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.packages.pip_configuration import read_values
from nachlass_builder.packages.pip_settings import SWITCHES, IndexSettings
from support.properties import may_refuse

PLACES = ("etc/pip/pip.conf", "home/.pip/pip.conf", "home/.config/pip/pip.conf", "named.conf")
SECTIONS = st.sampled_from(["global", "install", "download"])
OPTIONS = st.sampled_from(["index-url", "TIMEOUT", "no_index", "--find-links", "retries"])
VALUES = st.sampled_from(["", "1", "https://a.example", "a b\n  c", "x = y", "%(y)s", "é", "#x"])
FILES = st.dictionaries(
    st.sampled_from(PLACES),
    st.dictionaries(SECTIONS, st.dictionaries(OPTIONS, VALUES, max_size=3), max_size=3),
)
VARIABLES = st.dictionaries(
    st.sampled_from(
        ["PIP_INDEX_URL", "PIP_TIMEOUT", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_VERSION"]
    ),
    st.sampled_from(["", "0", "7", "https://env.example", "a b"]),
    max_size=3,
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.lists(
        st.sampled_from(
            [
                *(
                    "[global]",
                    "[install]",
                    "[",
                    "]",
                    "\n",
                    "\n ",
                    "=",
                    ":",
                    " = ",
                    "#",
                    ";",
                    "%(x)s",
                ),
                *("index-url", "no-index", "find-links", "cert", "timeout", "1", "maybe", "\ufeff"),
                *(
                    "https://joe:sesame@a.example",
                    "file:///x",
                    "~",
                    "${X}",
                    "\x00",
                    "[DEFAULT]",
                    "é",
                ),
            ]
        ),
        max_size=12,
    ).map("".join),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("machine")


@pytest.fixture(scope="module")
def machine(folder):
    """Return the variables of a user whose files are all in one folder."""
    return {
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": str(folder / "home/.config"),
        "XDG_CONFIG_DIRS": str(folder / "etc"),
    }


def write(folder, files):
    for place in PLACES:
        (folder / place).unlink(missing_ok=True)
    for place, sections in files.items():
        parser = configparser.RawConfigParser()
        parser.optionxform = str
        parser.read_dict(sections)
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        with (folder / place).open("w", encoding="utf-8") as file:
            parser.write(file)


def read_by_pip(environ):
    """Return the options that `pip install` reads in this environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            patch.delenv(name)
        for name, value in environ.items():
            patch.setenv(name, value)
        parser = ConfigOptionParser(usage="", name="install", isolated=False)
        parser.config.load()
        return dict(parser._get_ordered_configuration_items())


@given(files=FILES, variables=VARIABLES, is_named=st.booleans())
def test_files_and_variables_are_read_as_by_pip(folder, machine, files, variables, is_named):
    write(folder, files)
    named = {"PIP_CONFIG_FILE": str(folder / "named.conf")} if is_named else {}
    environ = {**machine, **variables, **named}
    assert read_values(environ) == read_by_pip(environ)


@given(text=TEXTS)
@example("[global]\nindex-url\n")
@example("[global]\n[global]\n")
def test_any_file_is_read_or_rejected_without_showing_secrets(folder, machine, text):
    (folder / "named.conf").write_bytes(text.encode("utf-8", "surrogatepass"))
    environ = {**machine, "PIP_CONFIG_FILE": str(folder / "named.conf")}
    with may_refuse(RequirementsError):
        try:
            IndexSettings.read(environ, None)
        except RequirementsError as error:
            assert "sesame" not in str(error)  # noqa: PT017 - regardless of the rest
            raise


SWITCH_WORDS = st.sampled_from(["1", "0", "yes", "No", "TRUE", "off", "t", "n"])


@given(word=st.one_of(SWITCH_WORDS, st.text(max_size=4)), name=st.sampled_from(sorted(SWITCHES)))
def test_a_switch_is_parsed_as_by_pip(machine, word, name):
    variable = f"PIP_{name.upper().replace('-', '_')}"
    environ = {**machine, "PIP_CONFIG_FILE": os.devnull, variable: word}
    try:
        expected = bool(strtobool(word)) if word else False
    except ValueError:
        with pytest.raises(RequirementsError, match="a boolean is expected"):
            IndexSettings.read(environ, None)
        return
    assert getattr(IndexSettings.read(environ, None), SWITCHES[name]) is expected


WORDS = st.text("abcXYZ019-_./:", min_size=1, max_size=8)


@given(
    hosts=st.lists(WORDS, max_size=4),
    indexes=st.lists(WORDS.map("https://{}".format), max_size=3),
    joint=st.sampled_from([" ", "\n", "  \n "]),
)
def test_lists_of_words_are_split(machine, hosts, indexes, joint):
    environ = {
        **machine,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_TRUSTED_HOST": joint.join(hosts),
        "PIP_EXTRA_INDEX_URL": joint.join(indexes),
    }
    settings = IndexSettings.read(environ, None)
    assert settings.trusted_hosts == tuple(hosts)
    assert settings.extra_index_urls == tuple(indexes)
    options = [word for host in hosts for word in ("--trusted-host", host)]
    assert settings.with_options(options).trusted_hosts == tuple(hosts + hosts)
    assert settings.with_options([f"--trusted-host={host}" for host in hosts]) == (
        settings.with_options(options)
    )


@given(words=st.lists(st.one_of(st.text(max_size=6), WORDS.map("--{}".format)), max_size=5))
@example(["--index-url 'https://a.example"])
def test_any_options_of_a_requirements_file_are_accepted_or_rejected(words):
    with may_refuse(RequirementsError):
        IndexSettings().with_options(words)
