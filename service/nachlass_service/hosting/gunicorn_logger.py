"""gunicorn's own lines, in the form of the service's log."""

from __future__ import annotations

import sys
from typing import Any

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

    def exception(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a defect with its traceback; a client that stopped sending is none."""
        if isinstance(sys.exc_info()[1], BlockingIOError):
            self.debug("a client stopped sending")
        else:
            super().exception(msg, *args, **kwargs)
