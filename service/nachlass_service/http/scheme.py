"""Finds whether a client uses http or https, to this service or to a trusted proxy."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from nachlass_service.http.interfaces import Client
from nachlass_service.http.request import Request

if TYPE_CHECKING:
    from gunicorn.config import Config


class Scheme:
    """Reads gunicorn's `forwarded_allow_ips` and `secure_scheme_headers`."""

    def __init__(self, cfg: Config) -> None:
        self._trusts_all = "*" in cfg.forwarded_allow_ips
        self._trusted = cfg.forwarded_allow_networks()
        self._secure = {k.lower().encode(): v for k, v in cfg.secure_scheme_headers.items()}

    def of(self, client: Client, request: Request) -> str:
        """Return the scheme of a request."""
        endpoints = client.endpoints
        if endpoints.is_encrypted:
            return "https"
        is_https = any(
            self._secure.get(name) == value.decode("latin-1") for name, value in request.headers
        )
        return "https" if is_https and self._trusts(endpoints.peer) else "http"

    def _trusts(self, peer: object) -> bool:
        if self._trusts_all or not isinstance(peer, tuple):
            return True
        return any(ip_address(peer[0]) in network for network in self._trusted)
