"""The user's requirements for the serving environment."""

from __future__ import annotations

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.packages.lock import Lock
from nachlass_builder.requirements.check import Checked
from nachlass_builder.slim.training import ARROW, NOTEBOOK, VARIABLE, ServingRequest

OPTIONAL_OF_SERVICE = {"pyarrow": ARROW}
"""Packages that the service uses if the user requires them, and the reason to keep them."""


def serving_request(checked: Checked, settings: Settings) -> ServingRequest:
    """Return the user's requirements for the serving environment."""
    merged = checked.requirements.merged
    required = {requirement.name for requirement in merged}
    used = {name: why for name, why in OPTIONAL_OF_SERVICE.items() if name in required}
    notebook = dict.fromkeys(checked.requirements.serving, NOTEBOOK)
    variable = dict.fromkeys(settings.serving_requirements, VARIABLE)
    requirements = tuple(requirement.text for requirement in merged)
    return ServingRequest(requirements, {**used, **notebook, **variable})


def require_locked(settings: Settings, lock: Lock) -> None:
    """Raise for names in S2I_SERVING_REQUIREMENTS that are not in the lock."""
    locked = {name for name, _version in lock.packages}
    for name in settings.serving_requirements:
        if name not in locked:
            raise RequirementsError(
                f"S2I_SERVING_REQUIREMENTS names {name}, which is not in the lock",
                remedy=f'add "{name}" to `requirements`, or to `serving_requirements`',
            )
