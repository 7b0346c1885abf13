"""The work of one item: the report page and the recording of a finished reconstruction."""

from pathlib import Path

from core.formats.alignment_json import read_alignment
from core.formats.rerun_reconstruction import record_reconstruction
from core.formats.window_info import FrameInfo, WindowInfo, read_window_info
from core.geometry.colmap import pycolmap
from core.item import Record, item
from core.progress import Progress
from core.reconstruction.report import FailedWindow, ReportRequest, write_report
from core.reconstruction.settings import ALIGNMENT, RECORDING_FILE, SPARSE


@item(ReportRequest)
def report_reconstruction(request: ReportRequest, folder: Path, report: Progress) -> Record:
    """Leave `report.html` and, where there is a merged model, `merged.rrd`.

    Returns:
        `recording`: whether there is one.
    """
    windows = [read_window_info(path) for path in request.windows] + [
        _failed(one, request.backend) for one in request.failed
    ]
    windows.sort(key=lambda one: one.window)
    alignment = model = None
    if request.merged is not None:
        alignment, model = read_alignment(request.merged / ALIGNMENT), pycolmap.Reconstruction(request.merged / SPARSE)
        model.update_point_3d_errors()
        aligned = {one.window for one in alignment.windows if one.status == "aligned"}
        shown = {
            one.window: [one.first_frame + place + 1 for place, frame in enumerate(one.frames) if frame.registered]
            for one in windows
            if one.window in aligned
        }
        record_reconstruction(folder / RECORDING_FILE, model, shown, request.pictures)
    report(1, 2)
    write_report(folder, request, windows, alignment, model)
    report(2, 2)
    return {"recording": model is not None}


def _failed(one: FailedWindow, backend: str) -> WindowInfo:
    return WindowInfo(
        window=one.window,
        first_frame=one.first_frame,
        status="failed",
        reason=one.reason,
        backend=backend,
        frames=[FrameInfo(name=name, registered=False) for name in one.names],
    )
