"""Says which parameters a notebook was given, without secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from nachlass_builder.foundation.credentials import redact_parameter
from nachlass_builder.foundation.settings import VARIABLES


def shown_parameters(
    parameters: Mapping[str, str], secrets: Collection[str], shipped: Collection[str] = ()
) -> dict[str, str]:
    """The parameters that are no settings of the build; `secrets` are known credentials.

    Those in `shipped` are shown whatever they are called.
    """
    known = {variable.name for variable in VARIABLES}
    return {
        name: value if name in shipped else redact_parameter(name, value, secrets)
        for name, value in sorted(parameters.items())
        if name not in known
    }
