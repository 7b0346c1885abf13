"""The work of one item: the page about a run. Runs in a device worker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.points.report import write_report
from core.points.settings import REPORT_FILE, ReportRequest
from core.points.track_item import open_view


def report_points(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Leave `report.html`.

    Args:
        request: a `ReportRequest` as JSON-able values.
        folder: where the output goes.
        report: told that it is done.

    Returns:
        Nothing there is to tell.
    """
    asked = ReportRequest.model_validate(request)
    view = open_view(asked)
    write_report(folder / REPORT_FILE, asked.title, view, asked.instances, asked.facts, asked.failures, asked.run)
    report(1, 1)
    return {}
