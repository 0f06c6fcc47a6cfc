"""Gives the classes that cells define ids that are the same in every run. Notebook's kernel.

cloudpickle gives each class that it pickles by value a random id, by which it knows the
class again when it loads another pickle with it. Here the id is a digest of what is built
and of how many classes had one before.
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
    """Let the ids of classes follow from `built`, which no other notebook or build shares."""
    kernel, random_id = os.getpid(), cloudpickle._get_or_create_tracker_id
    alone = threading.Lock()
    ids = (hashlib.sha256(f"{built}:{n}".encode()).hexdigest()[:32] for n in count())

    def id_of(class_def: type) -> str:
        # A forked process counts as well, and its classes are others.
        if class_def in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS or os.getpid() != kernel:
            return str(random_id(class_def))
        # A pickle that an earlier run of the cells has left may have brought one.
        with alone:
            free = next(one for one in ids if one not in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID)
            cloudpickle._lookup_class_or_track(free, class_def)
        return free

    # Before version 3 the pickler is in a module of its own, which has imported the function.
    modules: tuple[Any, ...] = (cloudpickle, sys.modules[Pickler.__module__])
    for module in modules:
        module._get_or_create_tracker_id = id_of
