"""Why the capture ends without a model, as data for the builder. Notebook's kernel."""

from __future__ import annotations

from nachlass_service.bundle.jsonable import with_article


class CaptureFailure(Exception):  # noqa: N818 - it is data for the builder
    """Why there is nothing to serve."""

    def __init__(self, code: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts

    def as_data(self) -> dict[str, object]:
        """Return the failure as JSON data."""
        return {"code": self.code, "message": str(self), **self.facts}


def type_name(value: object) -> str:
    """Return the name of a value's type with its article."""
    return with_article(type(value).__name__)
