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
from nachlass_builder.cli.openapi import openapi
from nachlass_builder.cli.predict import predict
from nachlass_builder.cli.serve import serve
from nachlass_builder.foundation.console import INTERRUPTED, Group
from nachlass_builder.foundation.errors import KINDS


def exit_codes() -> dict[int, str]:
    """Return what each exit code means, in their order."""
    kinds = {kind.exit_code: kind.kind for kind in KINDS}
    rest = {
        0: "done",
        2: "the command line is wrong",
        DIFFERS: "the two bundles differ (`nachlass diff --exit-code`)",
        INTERRUPTED: "interrupted",
    }
    return dict(sorted({**kinds, **rest}.items()))


EXIT_CODES = "\n".join(
    ["\b", "Exit codes:", *(f"  {code:2d}  {text}" for code, text in exit_codes().items())]
)


@click.group(cls=Group, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    __version__, prog_name="nachlass", message=f"%(prog)s %(version)s (Python {python_version()})"
)
def main() -> None:
    """Turn a Jupyter notebook into a model service.

    The notebook runs from top to bottom and defines one function,
    predictor(x), which scores one sample. The rest is derived.

    \b
    Start here:
      nachlass check .                     show what would be built; execute nothing
      nachlass build .                     execute, pickle, prove: write a bundle
      nachlass predict . '[0.3, 0.7]'      predict one sample
      nachlass serve .                     serve at http://localhost:8080
      nachlass image . -t my-model         build a container image of the service
      nachlass diff OLD .                  compare the new bundle with an old one
      nachlass openapi .                   print the OpenAPI document of the service
      nachlass monitoring . -o FOLDER      write alerts and a dashboard for the service
    """  # noqa: D301 - click's \b
    # CI ends jobs with SIGTERM: clean up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


for command in (
    *(check, build, predict, diff, monitoring, openapi, serve, image),
    *(cache, doctor, completion),
):
    main.add_command(command)
