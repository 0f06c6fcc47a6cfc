"""Proves a bundle where it is served: in the image, with the libraries of the image."""

from __future__ import annotations

import os

from nachlass_service.base.errors import BundleError
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.proof.prove import prove

HIDDEN = "***"
"""The manifest's placeholder for a secret."""
DIFFERS = "; the model reads something that differs here: a variable, a file, a program"
NO_LIBRARY = "cannot open shared object file"
APT_TXT = "; add the Debian package that contains it to apt.txt"


def prove_here(bundle: Bundle) -> str:
    """Load the model, compare its predictions with the recorded ones and return the result.

    A model that needs secrets cannot predict without them: then the result is only that it
    loads. Raises BundleError.
    """
    try:
        return _prove(bundle)
    except BundleError as error:
        remedy = APT_TXT if NO_LIBRARY in str(error) else ""
        raise BundleError(f"{bundle.title}: {error}{remedy}") from error


def _prove(bundle: Bundle) -> str:
    parameters, manifest = bundle.manifest.parameters, bundle.manifest
    unset = [
        name for name, value in parameters.items() if HIDDEN in value and name not in os.environ
    ]
    answer = prove(bundle)
    match answer:
        case {"error": {"message": message, **error}}:
            if unset and not error.get("missing") and NO_LIBRARY not in message:
                names = ", ".join(unset)
                return f"{bundle.title} loads; without {names}, its predictions are not compared"
            where = f"sample {error['sample']}: " if "sample" in error else ""
            raise BundleError(f"{where}{message}{DIFFERS if error['code'] == 'differs' else ''}")
        case {"batch": False, "batch_reason": reason} if manifest.batch:
            raise BundleError(f"the batch_predictor does not work here: {reason}")
        case {"forked": False, "forked_reason": reason} if manifest.preload:
            raise BundleError(f"the model cannot be loaded before a fork here: {reason}")
        case {"samples": 0}:
            return f"{bundle.title} loads; it has no samples to compare its predictions with"
        case {"samples": 1}:
            return f"{bundle.title} predicts as its notebook did: 1 sample"
    return f"{bundle.title} predicts as its notebook did: {answer['samples']} samples"
