"""Lists phrases in our own prose that read like a translation. `make lint` runs it."""

import re
import subprocess
import sys
from pathlib import Path

PHRASES = (
    "anew",
    "answers otherwise",
    "as many as may",
    "beforehand",
    "cannot be listened at",
    "in vain",
    "is lent",
    "is told",
    "whatever",
)
# Letters next to a phrase make it another word; line breaks and marks of comments do not.
PATTERN = re.compile(
    "|".join(rf"\b{phrase}\b".replace(" ", r"[\s#*]+") for phrase in PHRASES), re.IGNORECASE
)


def main() -> int:
    """Print `file:line: phrase` for each one; return 1 if there is any."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True)
    found = 0
    for name in filter(None, listed.stdout.split("\0")):
        path = Path(name)
        if path.resolve() == Path(__file__).resolve() or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "ignore")
        for match in PATTERN.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            print(f"{name}:{line}: {' '.join(match[0].split())!r} is not plain English")
            found += 1
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
