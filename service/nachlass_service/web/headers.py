"""The headers that responses have in addition to those of HTTP."""

from __future__ import annotations

import re

MODEL_DIGEST = "Model-Digest"
"""The header with the digest of the model, for when two models are served."""
REQUEST_ID = "X-Request-Id"
"""The header with the ID of the request."""
REQUEST_ID_FORM = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""The form of the IDs that are taken from clients."""
RETRY_AFTER = "Retry-After"
