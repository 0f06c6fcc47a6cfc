"""The licences of a distribution, from its metadata."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import Distribution

from cyclonedx.spdx import fixup_id, is_expression

NO_LICENCE = "License :: OSI Approved"
MAX_NAME_LENGTH = 60
"""Characters in the field License; a longer text is the licence itself."""

SPDX_OF_CLASSIFIERS = {
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""Classifiers that mean one licence; "BSD License", for example, means several."""


def licences_of(distribution: Distribution) -> Sequence[str]:
    """Return SPDX identifiers or one expression if known, else names; empty if unknown.

    In order: License-Expression (PEP 639), License if it is SPDX, classifiers that mean one
    licence, the name in License, the names of classifiers.
    """
    metadata = distribution.metadata
    if expressions := metadata.get_all("License-Expression", []):
        return expressions
    licence = "".join(metadata.get_all("License", [])).strip()
    if licence and (fixup_id(licence) or is_expression(licence)):
        return [fixup_id(licence) or licence]
    classified = {
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier", [])
        if text.startswith("License :: ") and text != NO_LICENCE
    }
    if classified and classified <= SPDX_OF_CLASSIFIERS.keys():
        return sorted(SPDX_OF_CLASSIFIERS[name] for name in classified)
    is_short = "\n" not in licence and len(licence) <= MAX_NAME_LENGTH
    if licence and licence.upper() != "UNKNOWN" and is_short:
        return [licence]
    return sorted(classified)
