"""Gives the cells' classes ids that are the same in every run. Notebook's kernel.

cloudpickle gives each class that it pickles by value a random id, by which it recognizes the
class in other pickles. Here the id is a digest of the build's key and a counter.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from itertools import count
from typing import Any

from cloudpickle import Pickler, cloudpickle


def name_classes(built: str) -> None:
    """Derive the ids of classes from `built`, which is unique to this notebook and build."""
    kernel, random_id = os.getpid(), cloudpickle._get_or_create_tracker_id
    lock = threading.Lock()
    ids = (hashlib.sha256(f"{built}:{n}".encode()).hexdigest()[:32] for n in count())

    def id_of(class_def: type) -> str:
        # A forked process would use the same counter for different classes.
        if class_def in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS or os.getpid() != kernel:
            return str(random_id(class_def))
        # A pickle left by an earlier run of the cells may already use an id.
        with lock:
            free = next(one for one in ids if one not in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID)
            cloudpickle._lookup_class_or_track(free, class_def)
        return free

    # Before version 3 the pickler is in a separate module, which has imported the function.
    modules: tuple[Any, ...] = (cloudpickle, sys.modules[Pickler.__module__])
    for module in modules:
        module._get_or_create_tracker_id = id_of
