"""How commands end: a failure becomes text on standard error and an exit code."""

from __future__ import annotations

import sys
import traceback
from errno import EDQUOT, ENOSPC

import click

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import FREE_SOME, NachlassError, RoomError

INTERRUPTED = 130
FULL = (ENOSPC, EDQUOT)


class Group(click.Group):
    """Turns failures into text on standard error and an exit code."""

    def invoke(self, context: click.Context) -> object:
        """Run a command; end the process with its failure's exit code."""
        try:
            return super().invoke(context)
        except NachlassError as error:
            tell(error)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; nothing was left behind", err=True)
            sys.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OSError as error:
            if error.errno not in FULL:
                _tell_defect(error)
                sys.exit(NachlassError.exit_code)
            tell(RoomError(f"the disk is full: {error}", remedy=FREE_SOME))
            sys.exit(RoomError.exit_code)
        except Exception as error:  # noqa: BLE001 - the last line says what to do, of any of them
            _tell_defect(error)
            sys.exit(NachlassError.exit_code)


def tell(error: NachlassError) -> None:
    """Print a failure, without the credentials that a quoted line may hold."""
    click.echo(redact(str(error), ()), err=True)


def _tell_defect(error: Exception) -> None:
    """Print what no one has foreseen: where it happened, then what it was."""
    what = f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))
    remedy = "report it with the lines above"
    tell(NachlassError(f"a defect of nachlass: {what}", details=trace, remedy=remedy))
