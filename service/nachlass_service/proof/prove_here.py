"""Proves a bundle where it is to be served: in the image, with the libraries that are there."""

from __future__ import annotations

import os

from nachlass_service.base.errors import BundleError
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.model import load_model
from nachlass_service.proof.prove import prove

HIDDEN = "***"
"""What the manifest shows of a secret."""
NO_LIBRARY = "cannot open shared object file"
APT_TXT = "; name the Debian package that has it in apt.txt"


def prove_here(bundle: Bundle) -> str:
    """Load the model and compare its answers with the recorded ones; returns what was shown.

    A model that reads secrets cannot be asked where they are not: then it is loaded, and no
    more is shown. Raises BundleError.
    """
    try:
        return _prove(bundle)
    except BundleError as error:
        remedy = APT_TXT if NO_LIBRARY in str(error) else ""
        raise BundleError(f"{bundle.title}: {error}{remedy}") from error


def _prove(bundle: Bundle) -> str:
    given = bundle.manifest.parameters
    unset = [name for name, value in given.items() if HIDDEN in value and name not in os.environ]
    if unset:
        load_model(bundle)
        names = ", ".join(unset)
        return f"{bundle.title} loads; its predictions are not compared, without {names}"
    answer = prove(bundle)
    match answer:
        case {"error": {"message": message, "sample": index}}:
            raise BundleError(f"sample {index}: {message}")
        case {"error": {"message": message}}:
            raise BundleError(message)
        case {"forked": False, "forked_reason": reason} if bundle.manifest.preload:
            raise BundleError(f"it cannot be loaded before a fork here: {reason}")
        case {"samples": 0}:
            return f"{bundle.title} loads; there are no samples to compare its predictions for"
        case {"samples": 1}:
            return f"{bundle.title} predicts as its notebook did: 1 sample"
    return f"{bundle.title} predicts as its notebook did: {answer['samples']} samples"
