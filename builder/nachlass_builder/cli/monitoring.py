"""`nachlass monitoring`: rules for Prometheus and a dashboard for Grafana."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nachlass_builder.cli.options import (
    SOURCE_HELP,
    assignments_option,
    complete_files,
    context_option,
    request_for,
)

LEAST_WINDOW_S = 60


@click.command(help=f"Write rules for Prometheus, and a dashboard for Grafana.\n\n{SOURCE_HELP}")
@click.argument("source", metavar="SOURCE|BUNDLE", shell_complete=complete_files)
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
    from nachlass_builder.monitoring.monitoring import monitoring as run_monitoring
    from nachlass_builder.monitoring.rules import Thresholds

    limits = Thresholds(**thresholds)
    try:
        if limits.window_s < LEAST_WINDOW_S:
            raise ValueError(limits.window)  # noqa: TRY301 - as one that is no duration
    except ValueError:
        raise click.UsageError("--window is a duration of at least a minute: 30m, 1h") from None
    request = request_for(source, context_dir, assignments)
    for path in run_monitoring(request, output, limits):
        click.echo(path)
