"""Draws the output of a real build: `python docs/record_build.py`, in an environment with nachlass.

It builds a copy of examples/kmeans and writes docs/_static/build.svg.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).parent
COMMAND = ["nachlass", "build", "kmeans"]
COLUMNS = 96
# As rich's own, without the fonts that it loads from the network.
DRAWING = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" \
xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, monospace; font-size: {char_height}px; \
line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> int:
    """Build, and draw what was printed."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(
            DOCS.parent / "examples/kmeans",
            Path(folder) / "kmeans",
            ignore=shutil.ignore_patterns(".nachlass"),
        )
        program = Path(sys.executable).with_name(COMMAND[0])
        done = subprocess.run(
            [program, *COMMAND[1:]],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            print(done.stdout, file=sys.stderr)
            return done.returncode
        output = f"$ {' '.join(COMMAND)}\n{done.stdout}".replace(f"{folder}/", "")
    console = Console(record=True, width=COLUMNS, file=sys.stderr)
    console.print(Text(output.rstrip("\n")))
    console.save_svg(
        str(DOCS / "_static/build.svg"), title="nachlass build", code_format=DRAWING, unique_id="b"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
