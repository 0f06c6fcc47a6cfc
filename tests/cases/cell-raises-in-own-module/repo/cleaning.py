def clean(rows):
    """Numbers from text."""
    cleaned = []
    for row in rows:
        cleaned.append(number(row))
    return cleaned


def number(text):
    return float(text.strip())
