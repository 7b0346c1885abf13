"""The work of one item: the page about a run. Runs in a device worker."""

from pathlib import Path

from core.item import Record, item
from core.points.report import write_report
from core.points.settings import ReportRequest
from core.points.track_item import open_view
from core.progress import Progress


@item(ReportRequest)
def report_points(request: ReportRequest, folder: Path, report: Progress) -> Record:
    """Leave `report.html`.

    Returns:
        An empty record.
    """
    write_report(folder, request, open_view(request))
    report(1, 1)
    return {}
