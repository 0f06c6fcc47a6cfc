"""Gives the classes in a pickle ids that are the same in every run. Notebook's kernel.

cloudpickle gives each class that it pickles by value a random id, by which it knows the
class again when it loads another pickle with it. Here the id becomes a digest of the pickle:
pickles that differ never share one.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from cloudpickle import cloudpickle

SETTLED = "nachlass-"
"""How an id begins that is not random: a pickle may hold classes of an earlier one."""
LENGTH = 32


def settle_class_ids(pickled: bytes) -> bytes:
    """The pickle with other ids, each as long as before."""
    random = [
        name.encode()
        for name in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS.values()
        if len(name) == LENGTH and not name.startswith(SETTLED)
    ]
    if not random:
        return pickled
    pattern = re.compile(b"|".join(random))
    numbers = {name: number for number, name in enumerate(dict.fromkeys(pattern.findall(pickled)))}
    content = hashlib.sha256(pattern.sub(lambda found: b"%032d" % numbers[found[0]], pickled))

    def settled(found: re.Match[bytes]) -> bytes:
        digest = hashlib.sha256(content.digest() + b"%d" % numbers[found[0]]).hexdigest()
        return f"{SETTLED}{digest}"[:LENGTH].encode()

    return pattern.sub(settled, pickled)


def settle_file(path: Path) -> None:
    """Settle the ids in a file that cells have pickled."""
    pickled = path.read_bytes()
    settled = settle_class_ids(pickled)
    if settled != pickled:
        path.write_bytes(settled)
