"""`nachlass monitoring`: writes Prometheus rules and a Grafana dashboard."""

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

MIN_WINDOW_S = 60


@click.command(help=f"Write Prometheus rules and a Grafana dashboard.\n\n{SOURCE_HELP}")
@click.argument("source", metavar="SOURCE|BUNDLE", shell_complete=complete_files)
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write the files to.",
)
@click.option(
    "--window",
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="The window of traffic to compare with the baseline: long enough for a thousand "
    "predictions, short enough to detect a change in time, such as 30m, 1h or 1d.",
)
@click.option(
    "--false-alarms",
    default=0.0005,
    show_default=True,
    type=click.FloatRange(1e-9, 0.5),
    help="The probability of a false alert in a window, over all fields together; the lower it "
    "is, the larger a shift must be to alert.",
)
@click.option(
    "--psi-floor",
    default=0.02,
    show_default=True,
    type=click.FloatRange(0, 0.5),
    help="The smallest PSI that alerts, regardless of traffic: 0.02 is a shift of two equal "
    "classes by 7 percentage points, 0.1 by 16.",
)
@click.option(
    "--ks-floor",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="The smallest KS distance that alerts: the share of predictions that moved past a value.",
)
@click.option(
    "--least",
    default=200,
    show_default=True,
    type=click.IntRange(20),
    help="The number of predictions that a window needs to be evaluated.",
)
@click.option(
    "--errors",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0, 0.4),
    help="The share of failed requests that alerts: the most that users should see.",
)
@click.option(
    "--rejections",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 0.4),
    help="The share of rejected requests that alerts: more than clients usually get wrong.",
)
@click.option(
    "--latency",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.02, 30),
    help="The latency in seconds that alerts when one request in a hundred exceeds it.",
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
    """Write Prometheus rules and a Grafana dashboard."""
    from nachlass_builder.monitoring.monitoring import monitoring as run_monitoring
    from nachlass_builder.monitoring.rules import Thresholds

    limits = Thresholds(**thresholds)
    try:
        if limits.window_s < MIN_WINDOW_S:
            raise ValueError(limits.window)  # noqa: TRY301 - same error as for an invalid duration
    except ValueError:
        raise click.UsageError(
            "--window must be a duration such as 30m or 1h (at least 1m needed)"
        ) from None
    request = request_for(source, context_dir, assignments)
    for path in run_monitoring(request, output, limits):
        click.echo(path)
