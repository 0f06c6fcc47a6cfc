"""The command line, the only place that prints failures and exit codes. Builder environment."""

from __future__ import annotations

import signal
import sys
import traceback
from errno import ENOSPC
from pathlib import Path
from typing import Any

import click

from nachlass_builder import __version__
from nachlass_builder.errors import KINDS, NachlassError
from nachlass_builder.report import Report

INTERRUPTED = 130
DIFFERS = 14
LEAST_WINDOW_S = 60

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

SOURCE_HELP = """\
SOURCE is a folder, a notebook file or a git URL; `URL#REF` means a branch,
a tag or a commit."""

assignments_option = click.option(
    "-e",
    "assignments",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set a variable for the build and its notebook; may be repeated.",
)
context_option = click.option(
    "--context-dir", metavar="FOLDER", help="The sub-folder of SOURCE to take for the whole."
)


class Group(click.Group):
    """Turns failures into text on standard error and an exit code."""

    def invoke(self, context: click.Context) -> object:
        """Run a command; end the process with its failure's exit code."""
        try:
            return super().invoke(context)
        except NachlassError as error:
            _tell(error)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; nothing was left behind", err=True)
            sys.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - the last line says what to do, of any of them
            _tell_defect(error)
            sys.exit(NachlassError.exit_code)


def _tell(error: NachlassError) -> None:
    """Print a failure, without the credentials that a quoted line may hold."""
    from nachlass_builder.credentials import redact

    click.echo(redact(str(error), ()), err=True)


def _tell_defect(error: Exception) -> None:
    """Print what no one has foreseen: where it happened, then what it was."""
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno == ENOSPC:
        _tell(NachlassError(f"the disk is full: {what}", remedy="free some of it, then try again"))
        return
    trace = "".join(traceback.format_exception(error))
    remedy = "report it with the lines above"
    _tell(NachlassError(f"a defect of nachlass: {what}", details=trace, remedy=remedy))


@click.group(cls=Group, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nachlass")
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


@main.command(help=f"Say what would be built, without executing anything.\n\n{SOURCE_HELP}")
@click.argument("source")
@click.option(
    "--requirements", is_flag=True, help="Print the requirements as a requirements file, only."
)
@context_option
@assignments_option
def check(
    source: str, context_dir: str | None, assignments: tuple[str, ...], *, requirements: bool
) -> None:
    """Say what would be built, without executing anything."""
    from nachlass_builder.check import check as run_check
    from nachlass_builder.prepare import Request, prepared_source
    from nachlass_builder.settings import parse_assignments
    from nachlass_builder.source_files import files_of, why_left_out
    from nachlass_builder.summary import print_checked, print_requirements

    request = Request(source, None, context_dir, parse_assignments(assignments))
    with prepared_source(request, Report(quiet=True)) as prepared:
        root = prepared.source.root
        files, _secrets = files_of(prepared.source, prepared.deadline)
        checked = run_check(
            root,
            files,
            prepared.settings,
            prepared.source.notebook,
            lambda name: why_left_out(prepared.source, name, prepared.deadline),
        )
        if requirements:
            print_requirements(checked)
        else:
            print_checked(checked)
    for error in checked.errors:
        _tell(error)
    if checked.errors:
        sys.exit(checked.errors[0].exit_code)


@main.command(help=f"Execute the notebook, and write a proven bundle.\n\n{SOURCE_HELP}")
@click.argument("source")
@click.option(
    "-o",
    "--output",
    metavar="BUNDLE",
    type=click.Path(path_type=Path),
    help="The bundle's folder. [default: SOURCE/.nachlass/bundle]",
)
@click.option("--force", is_flag=True, help="Build although nothing changed, and resolve anew.")
@click.option(
    "--locked", is_flag=True, help="Build in the environments of the locks there are; resolve none."
)
@click.option(
    "--compare", is_flag=True, help="With --locked: compare the predictions with those before."
)
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors.")
@context_option
@assignments_option
def build(
    source: str,
    output: Path | None,
    context_dir: str | None,
    assignments: tuple[str, ...],
    *,
    force: bool,
    locked: bool,
    compare: bool,
    quiet: bool,
) -> None:
    """Execute the notebook, and write a proven bundle."""
    from nachlass_builder.build import build as run_build
    from nachlass_builder.compare_words import difference, verdict
    from nachlass_builder.prepare import Request
    from nachlass_builder.settings import parse_assignments

    if force and locked:
        raise click.UsageError("--force resolves anew, and --locked resolves nothing")
    if compare and not locked:
        raise click.UsageError("--compare goes with --locked")
    given = parse_assignments(assignments)
    request = Request(source, output, context_dir, given, force, locked, compare)
    built = run_build(request, Report(quiet=quiet))
    click.echo(built.bundle)
    if built.comparison:
        if error := difference(built.comparison):
            raise error
        click.echo(f"the predictions are {verdict(built.comparison)}", err=True)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, metavar="[SOURCE|BUNDLE] JSON")
@click.option("--url", metavar="URL", help="Ask the running service there instead of a SOURCE.")
@context_option
@assignments_option
def predict(
    words: tuple[str, ...], url: str | None, context_dir: str | None, assignments: tuple[str, ...]
) -> None:
    """Ask for one prediction, as the service would answer it.

    SOURCE is what `build` takes, and is built if it changed; or a bundle; or
    left out, with --url. JSON is one sample; `-` reads it from standard input.
    """
    from nachlass_builder.predict import predict as run_predict
    from nachlass_builder.remote import predict_at
    from nachlass_builder.settings import parse_assignments

    expected = ["JSON"] if url else ["SOURCE", "JSON"]
    if len(words) != len(expected):
        raise click.UsageError(f"expected {' and '.join(expected)}, got {len(words)} arguments")
    text = words[-1]
    if text == "-":
        # As the argument's, these bytes reach the model as they are, whatever the locale.
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    if url:
        answer = predict_at(url if "://" in url else f"http://{url}", text)
    else:
        answer = run_predict(words[0], text, context_dir, parse_assignments(assignments))
    click.echo(answer.encode("utf-8"))


@main.command()
@click.argument("old")
@click.argument("new")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    help="For a terminal, a pull request or a program. [default: text]",
)
@click.option("--exit-code", is_flag=True, help=f"End with {DIFFERS} if anything differs.")
@context_option
@assignments_option
def diff(
    old: str,
    new: str,
    form: str,
    context_dir: str | None,
    assignments: tuple[str, ...],
    *,
    exit_code: bool,
) -> None:
    """Say what two bundles differ in: code, data, packages, predictions.

    OLD and NEW are bundles, or what `build` takes, which is built if it
    changed. The new model answers the samples of the old one.
    """
    from nachlass_builder.diff import diff as run_diff
    from nachlass_builder.diff_markdown import as_markdown
    from nachlass_builder.diff_text import as_text
    from nachlass_builder.settings import parse_assignments

    found = run_diff(old, new, context_dir, parse_assignments(assignments))
    show = {"text": as_text, "markdown": as_markdown, "json": type(found).as_json}[form]
    click.echo(show(found))
    if exit_code and not found.identical:
        sys.exit(DIFFERS)


@main.command(help=f"Write rules for Prometheus, and a dashboard for Grafana.\n\n{SOURCE_HELP}")
@click.argument("source", metavar="SOURCE|BUNDLE")
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write the files.",
)
@click.option(
    "--window",
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="How much traffic is compared: long enough for a thousand predictions, short enough to "
    "hear of a change in time. `30m`, `1h`, `1d`.",
)
@click.option(
    "--false-alarms",
    default=0.0005,
    show_default=True,
    type=click.FloatRange(1e-9, 0.5),
    help="The probability that a window without a change alerts, over all fields together: "
    "the fewer, the larger a shift has to be.",
)
@click.option(
    "--psi-floor",
    default=0.02,
    show_default=True,
    type=click.FloatRange(0, 0.5),
    help="The least PSI that alerts, however much traffic there is: 0.02 is a shift of two equal "
    "classes by 7 points, 0.1 by 16.",
)
@click.option(
    "--ks-floor",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="The least KS distance that alerts: the share of predictions that crossed some number.",
)
@click.option(
    "--least",
    default=200,
    show_default=True,
    type=click.IntRange(20),
    help="Windows with fewer predictions are not judged: fewer say little.",
)
@click.option(
    "--errors",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0, 0.4),
    help="The share of failed requests that alerts: what users may see.",
)
@click.option(
    "--rejections",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 0.4),
    help="The share of rejected requests that alerts: above what clients usually get wrong.",
)
@click.option(
    "--latency",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.02, 30),
    help="The seconds that alert when one request in a hundred takes longer.",
)
@context_option
@assignments_option
def monitoring(
    source: str,
    output: Path,
    context_dir: str | None,
    assignments: tuple[str, ...],
    **thresholds: Any,
) -> None:
    """Write rules for Prometheus, and a dashboard for Grafana."""
    from nachlass_builder.alerting import Thresholds
    from nachlass_builder.monitoring import monitoring as run_monitoring
    from nachlass_builder.settings import parse_assignments

    limits = Thresholds(**thresholds)
    try:
        if limits.window_s < LEAST_WINDOW_S:
            raise ValueError(limits.window)  # noqa: TRY301 - as one that is no duration
    except ValueError:
        raise click.UsageError("--window is a duration of at least a minute: 30m, 1h") from None
    given = parse_assignments(assignments)
    for path in run_monitoring(source, output, context_dir, given, limits):
        click.echo(path)


@main.command(help=f"Build what changed, then serve it until Ctrl-C.\n\n{SOURCE_HELP}")
@click.argument("source", metavar="SOURCE|BUNDLE")
@click.option("--host", help="The address to listen at. [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The port to listen at. [default: PORT, or 8080]"
)
@click.option(
    "--workers",
    type=click.IntRange(1, 128),
    help="Worker processes. [default: what cores and memory allow]",
)
@context_option
@assignments_option
def serve(
    source: str,
    host: str | None,
    port: int | None,
    workers: int | None,
    context_dir: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Build what changed, then serve it until Ctrl-C."""
    from nachlass_builder.serve import serve as run_serve
    from nachlass_builder.settings import parse_assignments

    run_serve(
        source,
        context_dir,
        parse_assignments(assignments),
        host=host,
        port=port,
        workers=workers,
    )


@main.command(help=f"Build a container image, without s2i.\n\n{SOURCE_HELP}")
@click.argument("source")
@click.option("-t", "--tag", required=True, help="What to call the image.")
@click.option("--builder", metavar="IMAGE", help="The builder image. [default: made once]")
@click.option(
    "--base", metavar="IMAGE", help="What images are based on. [default: Debian's Python]"
)
@click.option(
    "--secret",
    "secrets",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file for the build alone: pip.conf, .netrc, ca.crt, id_*; may be repeated.",
)
@click.option(
    "--volume",
    "volumes",
    metavar="HOST:PLACE",
    multiple=True,
    help="A folder for the build alone, training data for instance; may be repeated.",
)
@click.option("--force", is_flag=True, help="Build although nothing changed, and resolve anew.")
@click.option("--push", is_flag=True, help="Push the image to its registry.")
@context_option
@assignments_option
def image(
    source: str,
    tag: str,
    builder: str | None,
    base: str | None,
    secrets: tuple[Path, ...],
    volumes: tuple[str, ...],
    context_dir: str | None,
    assignments: tuple[str, ...],
    *,
    force: bool,
    push: bool,
) -> None:
    """Build a container image, without s2i."""
    from nachlass_builder.image import ImageRequest, build_image
    from nachlass_builder.prepare import Request
    from nachlass_builder.settings import parse_assignments

    request = Request(source, None, context_dir, parse_assignments(assignments), force)
    asked = ImageRequest(request, tag, builder, base, push, secrets, volumes)
    click.echo(build_image(asked, Report()))
