"""The page as text, for tests that read it."""

import re
from html.parser import HTMLParser

from werkzeug.test import Client  # Flask's own, before 3.0, does not work with every werkzeug

from nachlass_service.base.settings import Settings
from nachlass_service.bundle.model import Model
from nachlass_service.metrics.metrics import Metrics
from nachlass_service.scoring.scorer import Scorer
from nachlass_service.web.app import PAGE_POLICY, create_app
from support.manifest import bundle_with, example

HOSTILE = "</pre></title><script>alert('1')</script><img src=x onerror=\"alert(2)\">&amp;"
REFERENCES = {"action", "background", "data", "formaction", "href", "poster", "src", "srcset"}
VOID = {"img", "input", "link", "meta"}
SCRIPT = "try.js"
"""The only script, which the page loads."""


class Page(HTMLParser):
    """The text of a page without script, by element, and its references.

    Fails if an element is not closed.
    """

    def __init__(self, html):
        super().__init__()
        self.references, self.tags, self.styles = [], [], []
        self.blocks = {"h1": [], "title": [], "pre": [], "code": [], "li": [], "th": []}
        self.ids, self.sections, self.headings, self.fields = [], [], [], []
        self.everything = ""
        self._open, self._hidden = [], 0
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "script":
            assert [name for name, _ in attrs] == ["src", "defer"]
            assert attrs[0][1] == SCRIPT
        if self._hidden or "hidden" in dict(attrs):
            self._hidden += tag not in VOID
        self.references += [value for name, value in attrs if name in REFERENCES]
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag == "section":
            self.sections.append(dict(attrs)["id"])
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag == "th":
            assert dict(attrs)["scope"] in ("col", "row")
        if dict(attrs).get("class") == "field" and tag == "details":
            self.fields.append(("", "open" in dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag in self.blocks and not self._hidden:
            self.blocks[tag].append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        self._hidden -= bool(self._hidden)

    def handle_data(self, data):
        assert "script" not in self._open
        if self._hidden:
            return
        if "style" in self._open:
            self.styles.append(data)
            return
        self.everything += data
        if "summary" in self._open and "code" in self._open:
            self.fields[-1] = (self.fields[-1][0] + data, self.fields[-1][1])
        for tag in {*self._open} & {*self.blocks}:
            self.blocks[tag][-1] += data

    @property
    def curl(self):
        return self.blocks["pre"][0]

    @property
    def links(self):
        found = {reference for reference in self.references if not reference.startswith("data:")}
        return found - {SCRIPT}

    @property
    def statuses(self):
        return {int(text) for text in self.blocks["th"] if re.fullmatch(r"\d{3}", text)}


def hostile():
    """Return a manifest in which every text is long and an attack."""
    long = HOSTILE + "x" * 300
    return example(
        name=long,
        version=long,
        prediction={
            "kind": "object",
            "fields": ["", long, *map(str, range(40))],
            "labels": {"": [f"{n} {long}" for n in range(40)], long: [long, "\ud800"]},
            "buckets": {"": [1.0]},
        },
        input={
            "schema": {"title": long, "properties": {f"{n} {long}": {} for n in range(40)}},
            "example": [long] * 40,
        },
        source={
            "commit": long,
            "dirty": True,
            "notebooks": [{"name": long, "digest": "", "executed": "notebook"}] * 3,
        },
        python=long,
        created=long,
        built_by=long,
    )


def app_of(bundle, *, show_samples=True, answered=()):
    metrics = Metrics(
        bundle.manifest.prediction,
        prefix="nachlass",
        info={},
        baseline=bundle.manifest.baseline,
    )
    metrics.counters.prepare(0)
    metrics.count(answered, 0.1)
    settings = Settings.from_environ({"S2I_SHOW_SAMPLES": "1" if show_samples else "0"})
    return create_app(Scorer(bundle, Model(lambda sample: sample), metrics, settings))


def page_of(manifest, path, *, show_samples=True, answered=(), **headers):
    """Return the page of a bundle that consists of a manifest."""
    app = app_of(bundle_with(path, **manifest), show_samples=show_samples, answered=answered)
    answer = Client(app).get("/", headers={"Accept": "text/html", **headers})
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == PAGE_POLICY
    return Page(answer.text)
