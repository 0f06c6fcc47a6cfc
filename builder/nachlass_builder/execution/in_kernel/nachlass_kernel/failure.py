"""Why the capture ends without a model, as data for the builder. Notebook's kernel."""

from __future__ import annotations

from nachlass_service.bundle.jsonable import with_article


class CaptureFailure(Exception):  # noqa: N818 - it is data on its way to the builder
    """Why there is nothing to serve."""

    def __init__(self, code: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts

    def as_data(self) -> dict[str, object]:
        """The failure as JSON."""
        return {"code": self.code, "message": str(self), **self.facts}


def a(value: object) -> str:
    """A value's type with its article."""
    return with_article(type(value).__name__)
