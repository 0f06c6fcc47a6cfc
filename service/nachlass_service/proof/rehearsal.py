"""Tests in a new process whether a bundle can be served."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from tempfile import TemporaryFile

from nachlass_service.base.errors import BundleError
from nachlass_service.bundle.bundle import Bundle
from nachlass_service.bundle.model import load_model
from nachlass_service.scoring.threads import in_another_thread
from nachlass_service.scoring.warm_up import score_few

LIMIT_S = 300


def load_and_score_few(bundle: Bundle) -> None:
    """Load the model and score a few samples, in this process; raises ServiceError."""
    score_few(bundle, load_model(bundle), in_another_thread)


def rehearse(bundle: Bundle, is_given_up: Callable[[], bool]) -> None:
    """Load the model and score a few samples in a new process; raises BundleError.

    The process is killed when `is_given_up` returns true.
    """
    command = [sys.executable, "-P", "-m", "nachlass_service", "load", str(bundle.path)]
    with TemporaryFile() as stderr:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr
            )
        except OSError as error:
            raise BundleError(f"cannot start the service's Python: {error}") from error
        ends_at = time.monotonic() + LIMIT_S
        while process.poll() is None:
            if is_given_up() or time.monotonic() > ends_at:
                process.kill()
                process.wait()
                raise BundleError(
                    f"loading the model was cancelled, or took too long (limit {LIMIT_S} s)"
                )
            time.sleep(0.05)
        stderr.seek(0)
        lines = stderr.read().decode("utf-8", "replace").strip().splitlines()
    if process.returncode:
        raise BundleError(
            lines[-1] if lines else f"loading failed with exit status {process.returncode}"
        )
