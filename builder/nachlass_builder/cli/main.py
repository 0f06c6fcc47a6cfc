"""The command `nachlass`, its help and its exit codes."""

from __future__ import annotations

import signal
from platform import python_version

import click

from nachlass_builder import __version__
from nachlass_builder.cli.build import build
from nachlass_builder.cli.cache import cache
from nachlass_builder.cli.check import check
from nachlass_builder.cli.completion import completion
from nachlass_builder.cli.diff import DIFFERS, diff
from nachlass_builder.cli.doctor import doctor
from nachlass_builder.cli.image import image
from nachlass_builder.cli.monitoring import monitoring
from nachlass_builder.cli.predict import predict
from nachlass_builder.cli.serve import serve
from nachlass_builder.foundation.console import INTERRUPTED, Group
from nachlass_builder.foundation.errors import KINDS

EXIT_CODES = "\n".join(
    [
        "\b",
        "Exit codes:",
        "   0  done",
        *(
            f"  {code:2d}  {text}"
            for code, text in sorted(
                [(kind.exit_code, kind.kind) for kind in KINDS]
                + [
                    (2, "the command line is wrong"),
                    (DIFFERS, "the two bundles differ (`nachlass diff --exit-code`)"),
                    (INTERRUPTED, "interrupted"),
                ]
            )
        ),
    ]
)


@click.group(cls=Group, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    __version__, prog_name="nachlass", message=f"%(prog)s %(version)s (Python {python_version()})"
)
def main() -> None:
    """Turn a Jupyter notebook into a model that can be served.

    The notebook runs from top to bottom and defines one function,
    predictor(x), which scores one sample. The rest is derived.

    \b
    Start here:
      nachlass check .                     what would be built; nothing is executed
      nachlass build .                     execute, pickle, prove: a bundle
      nachlass predict . '[0.3, 0.7]'      one prediction of it
      nachlass serve .                     a service at http://localhost:8080
      nachlass image . -t my-model         a container image of that service
      nachlass diff OLD .                  what a new bundle has changed
      nachlass monitoring . -o FOLDER      alerts and a dashboard for it
    """  # noqa: D301 - click's \b
    # What ends a job in CI leaves as little behind as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


for command in (check, build, predict, diff, monitoring, serve, image, cache, doctor, completion):
    main.add_command(command)
