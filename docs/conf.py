"""The documentation site: `make docs`."""

import re
import sys
import tomllib
from pathlib import Path

from nachlass_builder import __version__

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
SOURCE = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["urls"]["Source"]

sys.path.insert(0, str(Path(__file__).parent))

project = "Nachlass"
project_copyright = "the Nachlass authors"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.graphviz",
    "sphinx_click",
    "generated",  # the reference, from the code
]
nitpicky = True
smartquotes_action = "qe"  # `--locked` keeps its dashes

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# A link to a file of the repository: [the builder](repo:builder/nachlass_builder).
myst_url_schemes = {
    "https": None,
    "http": None,
    "repo": f"{SOURCE}/blob/main/{{{{path}}}}",
}

graphviz_output_format = "svg"

# Tests check links to the repository; services run only while a reader follows a page.
linkcheck_ignore = [re.escape(SOURCE), r"http://localhost:\d+"]

html_theme = "furo"
html_title = f"Nachlass {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
