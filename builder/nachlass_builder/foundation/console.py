"""Turns failures of commands into text on standard error and exit codes."""

from __future__ import annotations

import sys
import traceback
from errno import EDQUOT, ENOSPC

import click

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import FREE_SPACE, NachlassError, StorageError

INTERRUPTED = 130
DISK_FULL = (ENOSPC, EDQUOT)


class Group(click.Group):
    """A command group that prints failures on standard error and sets the exit code."""

    def invoke(self, context: click.Context) -> object:
        """Run a command; on failure, exit with the failure's exit code."""
        try:
            return super().invoke(context)
        except NachlassError as error:
            print_error(error)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; nothing was left behind", err=True)
            sys.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OSError as error:
            if error.errno not in DISK_FULL:
                _print_defect(error)
                sys.exit(NachlassError.exit_code)
            print_error(StorageError(f"the disk is full: {error}", remedy=FREE_SPACE))
            sys.exit(StorageError.exit_code)
        except Exception as error:  # noqa: BLE001 - every failure gets a message and a remedy
            _print_defect(error)
            sys.exit(NachlassError.exit_code)


def print_error(error: NachlassError) -> None:
    """Print a failure, with credentials in quoted lines redacted."""
    click.echo(redact(str(error), ()), err=True)


def _print_defect(error: Exception) -> None:
    """Print an unexpected exception: the traceback and the error."""
    message = f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))
    remedy = "report it and include the lines above"
    print_error(
        NachlassError(f"this is a bug in nachlass: {message}", details=trace, remedy=remedy)
    )
