"""The result of a check."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from nachlass_builder.foundation.credentials import HIDDEN, redact
from nachlass_builder.foundation.errors import NachlassError

State = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Check:
    """A finding and its remedy; `exit_code` is that of the build that would fail."""

    name: str
    state: State
    message: str
    remedy: str | None = None
    exit_code: int = 0

    def as_data(self) -> dict[str, Any]:
        """Return the check as JSON, without credentials."""
        facts = {"name": self.name, "state": self.state, "message": redact(self.message, ())}
        return facts | ({"help": redact(self.remedy, ())} if self.remedy else {})


def without_userinfo(address: str) -> str:
    """Hide everything up to the last @, which also covers addresses that are not valid URLs."""
    return re.sub(r"^([A-Za-z][\w.+-]*://)?.*@", rf"\1{HIDDEN}@", address)


def userinfo_of(address: str) -> str:
    """Return the part of an address that `without_userinfo` hides; empty if there is none."""
    found = re.search(r"^(?:[A-Za-z][\w.+-]*://)?(.*)@", address)
    return found[1] if found else ""


def ok(name: str, message: str) -> Check:
    """Return a check that passed."""
    return Check(name, "ok", message)


def warning(name: str, message: str, remedy: str | None = None) -> Check:
    """Return a check that some builds would fail."""
    return Check(name, "warning", message, remedy)


def error(name: str, message: str, remedy: str, kind: type[NachlassError]) -> Check:
    """Return a check that every build would fail, with the error `kind`."""
    return Check(name, "error", message, remedy, kind.exit_code)


def failed(name: str, failure: NachlassError) -> Check:
    """Return the check for the error of a build."""
    where = f"{failure.place}: " if failure.place else ""
    return Check(name, "error", f"{where}{failure.message}", failure.remedy, failure.exit_code)


def exit_code(checks: Iterable[Check]) -> int:
    """Return the exit code of the first error; 0 without one."""
    return next((check.exit_code for check in checks if check.state == "error"), 0)
