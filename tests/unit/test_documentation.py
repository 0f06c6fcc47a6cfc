"""The documentation is complete: tests run its examples, and its links are valid."""

import re

import pytest

from support.documentation import LONG_RUNNING, PAGES, blocks
from support.project import PROJECT

LANGUAGES = {"sh", "text", "python", "json", "dockerfile", "{toctree}", "{warning}"}
MARKS = {"needs-cluster": ("oc ",), "needs-s2i": ("s2i ",)}
"""The only commands that marked blocks may contain."""


def name(page):
    return str(page.relative_to(PROJECT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_block_has_a_language_known_to_the_tests(page):
    for block in blocks(page):
        kind = block.language.split()[0] if block.language else ""
        assert kind in LANGUAGES | {"{generated}", "{graphviz}", "{eval-rst}"}, block
        assert not re.search(r"^\$ ", block.text, re.MULTILINE), block


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_only_commands_that_need_a_cluster_or_s2i_are_marked(page):
    for block in blocks(page):
        begins = MARKS.get(block.mark, ())
        assert bool(block.mark) == bool(begins), block
        if block.language == "sh":
            for command in block.commands:
                needs_more = command.startswith(("oc ", "s2i "))
                assert needs_more == command.startswith(begins or "\0"), command


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_into_the_repository_are_valid(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(repo:([^)#]+)", text)
    if page == PROJECT / "README.md":
        links += re.findall(r"\]\((?!https?:)([^)#]+)", text)
    for link in links:
        assert (PROJECT / link).exists(), link


def test_the_readme_and_its_notebook_are_short():
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 700
    [cells] = [block for block in blocks(PROJECT / "README.md") if block.language == "python"]
    assert len(cells.text.splitlines()) <= 12


def test_services_are_started_at_the_end_of_a_block():
    """A reader who pastes a block would wait for its first lines to end."""
    for page in PAGES:
        for block in blocks(page):
            if block.language == "sh":
                lasting = [c for c in block.commands if c.startswith(LONG_RUNNING)]
                assert lasting in ([], block.commands[-1:]), block
