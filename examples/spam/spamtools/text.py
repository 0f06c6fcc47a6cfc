"""Clean-up of a message before its words are counted."""

import re

LINK = re.compile(r"(?:https?://|www\.)\S+")
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


def simplify(text: str) -> str:
    """Convert to lower case, and replace links and numbers with placeholders."""
    text = LINK.sub(" some_link ", text.lower())
    return NUMBER.sub(" some_number ", text)
