"""gunicorn's own lines, in the form of the service's log."""

from __future__ import annotations

from gunicorn.config import Config
from gunicorn.glogging import Logger as GunicornLogger

from nachlass_service.base.log import handler as log_handler


class Logger(GunicornLogger):
    """gunicorn's logger, whose lines take the form of ours."""

    def setup(self, cfg: Config) -> None:
        """As gunicorn's, but for the form."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(log_handler.formatter)
