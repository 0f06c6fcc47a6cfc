"""Declared requirements of distributions that scoring never uses.

Samples can only show that they themselves do not need one. So a pair is listed only if the
distribution's source shows that no other sample can need it.
"""

from __future__ import annotations

from itertools import product

TRAINING_ONLY = frozenset(
    # xgboost loads NCCL in one place, `NCCLComm` in src/collective/comm.cu, which returns
    # before that unless several processes train together (2.1.0 to 3.4.1). Scoring needs it
    # neither on the CPU nor on a GPU, and the Python package does not use it.
    product(("xgboost", "xgboost-cu12", "xgboost-cu13"), ("nvidia-nccl-cu12", "nvidia-nccl-cu13"))
)
"""Pairs of a distribution and a requirement that it uses only for training."""
