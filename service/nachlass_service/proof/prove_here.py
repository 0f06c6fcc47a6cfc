"""Proves a bundle where it is to be served: in the image, with the libraries that are there."""

from __future__ import annotations

import os

from nachlass_service.base.errors import BundleError
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.proof.prove import prove

HIDDEN = "***"
"""What the manifest shows of a secret."""
DIFFERS = "; what it reads differs here: a variable, a file, a program"
NO_LIBRARY = "cannot open shared object file"
APT_TXT = "; name the Debian package that has it in apt.txt"


def prove_here(bundle: Bundle) -> str:
    """Load the model and compare its answers with the recorded ones; returns what was shown.

    A model that reads secrets cannot answer where they are not: then it is loaded, and no
    more is shown. Raises BundleError.
    """
    try:
        return _prove(bundle)
    except BundleError as error:
        remedy = APT_TXT if NO_LIBRARY in str(error) else ""
        raise BundleError(f"{bundle.title}: {error}{remedy}") from error


def _prove(bundle: Bundle) -> str:
    given, manifest = bundle.manifest.parameters, bundle.manifest
    unset = [name for name, value in given.items() if HIDDEN in value and name not in os.environ]
    answer = prove(bundle)
    match answer:
        case {"error": {"message": message, **error}}:
            if unset and not error.get("missing") and NO_LIBRARY not in message:
                names = ", ".join(unset)
                return f"{bundle.title} loads; its predictions are not compared, without {names}"
            where = f"sample {error['sample']}: " if "sample" in error else ""
            raise BundleError(f"{where}{message}{DIFFERS if error['code'] == 'differs' else ''}")
        case {"batch": False, "batch_reason": reason} if manifest.batch:
            raise BundleError(f"its batch_predictor does not work here: {reason}")
        case {"forked": False, "forked_reason": reason} if manifest.preload:
            raise BundleError(f"it cannot be loaded before a fork here: {reason}")
        case {"samples": 0}:
            return f"{bundle.title} loads; there are no samples to compare its predictions for"
        case {"samples": 1}:
            return f"{bundle.title} predicts as its notebook did: 1 sample"
    return f"{bundle.title} predicts as its notebook did: {answer['samples']} samples"
