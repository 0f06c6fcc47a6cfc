"""Formats gunicorn's log lines like the service's."""

from __future__ import annotations

from gunicorn.config import Config
from gunicorn.glogging import Logger as GunicornLogger

from nachlass_service.base.log import handler as log_handler


class Logger(GunicornLogger):
    """gunicorn's logger with the service's log format."""

    def setup(self, cfg: Config) -> None:
        """Set up gunicorn's handlers with the service's formatter."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(log_handler.formatter)
