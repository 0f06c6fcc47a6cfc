"""Requirements that a distribution declares, and that scoring never uses.

Samples show only that they do without. So a pair is listed once the source of the
distribution shows that no other sample can differ.
"""

from __future__ import annotations

from itertools import product

TRAINING_ONLY = frozenset(
    # xgboost loads NCCL in one place, `NCCLComm` in src/collective/comm.cu, which returns
    # before that unless several processes train together (2.1.0 to 3.4.1). Neither the
    # CPU nor a GPU needs it to score, and the Python package does without it.
    product(("xgboost", "xgboost-cu12", "xgboost-cu13"), ("nvidia-nccl-cu12", "nvidia-nccl-cu13"))
)
"""Each distribution, and what it requires for training alone."""
