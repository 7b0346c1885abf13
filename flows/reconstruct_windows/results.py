"""What a reconstruction came to: failures, report, summary."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.formats.alignment_json import WindowAlignment
from core.formats.failures_jsonl import write_failures
from core.formats.window_info import WindowInfo
from core.reconstruction.settings import ALIGNMENT, RECORDING_FILE
from core.report.page import REPORT_FILE
from flows.reconstruct_windows.plan import Plan
from flows.reconstruct_windows.sequence import FrameSequence
from flows.reconstruct_windows.windows import MERGE, WindowRun, window_name
from tasks.items import Item, Outcome, Stage, item_key
from tasks.reporting.delivery import deliver, undelivered
from tasks.reporting.facts import run_facts
from tasks.reporting.summary import Row, Summary
from tasks.running import ItemRun, run_items

FAILURES, REPORT = "failures.jsonl", "reconstruct_report.html"
MAKE_REPORT = Stage(
    "report", "core.reconstruction.report_item:report_reconstruction", lambda _: [], page=True, version=2
)
_MOST_NOTES = 5


def note_failures(
    plan: Plan,
    windows: WindowRun,
    sequence: FrameSequence,
    merged: Outcome | None,
    unmatched: Sequence[tuple[str, str]],
) -> list[tuple[str, str]]:
    """Write `failures.jsonl`: frames that cannot be used, windows without a model, windows that do not fit."""
    failures = [(one.name, one.reason) for one in sequence.frames if one.reason is not None]
    failures += unmatched
    failures += [(window_name(number, windows.windows[number]), why) for number, why in windows.failed()]
    failures += [(window_name(number, windows.windows[number]), why) for number, why in windows.undelivered.items()]
    failures += [
        (window_name(one.window, windows.windows[one.window]), f"not in the merged model: {one.reason}")
        for one in _rejected(merged)
    ]
    if merged is not None and merged.record is None:
        failures.append(("merged model", merged.reason or "failed"))
    write_failures(plan.output / FAILURES, failures)
    return failures


def _rejected(merged: Outcome | None) -> list[WindowAlignment]:
    if merged is None or merged.record is None:
        return []
    return [
        one for one in map(WindowAlignment.model_validate, merged.record["windows"]) if one.status == "rejected"
    ]  # fmt: skip


def make_report(
    run: ItemRun,
    plan: Plan,
    windows: WindowRun,
    sequence: FrameSequence,
    stage: Stage,
    merged: Outcome | None,
    facts: Sequence[tuple[str, str]],
    failures: Sequence[tuple[str, str]],
    pictures: Mapping[str, Path],
) -> str | None:
    """Make the page and the recording and put them where they belong; why there is none."""
    solved = windows.solved()
    made = None if merged is None or merged.record is None else merged
    failed = [
        {
            "window": number,
            "first_frame": windows.windows[number].start,
            "names": [sequence.frames[frame].name for frame in windows.windows[number]],
            "reason": why,
        }
        for number, why in windows.failed()
    ]
    what = {
        "title": f"Reconstruction of {plan.source.resolve().name}",
        "backend": plan.backend.name,
        "failed": failed,
        "facts": [list(fact) for fact in facts],
        "failures": [list(failure) for failure in failures],
    }
    keys = [item_key(stage, one.item) for one in solved.values()]
    inputs = {"windows": keys, "merged": None if made is None else item_key(MERGE, made.item), **what}
    folders = [str(one.folder) for one in solved.values()]
    request = {
        "windows": folders,
        "merged": None if made is None else str(made.folder),
        "pictures": {name: str(path) for name, path in pictures.items()},
        **what,
        "run": run_facts(run.made),
    }
    (outcome,) = run_items(run, MAKE_REPORT, [Item("report", inputs, request, 1.0)])
    reason = outcome.reason
    for name, wanted in ((REPORT_FILE, REPORT), (RECORDING_FILE, RECORDING_FILE)):
        try:
            if outcome.record is not None and (outcome.folder / name).exists():
                deliver(outcome.folder / name, plan.output / wanted, run.store.digests)
            else:
                (plan.output / wanted).unlink(missing_ok=True)  # that of an earlier run would not be true
        except OSError as error:
            reason = undelivered(error)
    return reason


def summarise_run(
    plan: Plan,
    windows: WindowRun,
    sequence: FrameSequence,
    merged: Outcome | None,
    failures: Sequence[tuple[str, str]],
    unmatched: Sequence[tuple[str, str]],
    no_report: str | None,
    notes: Sequence[str],
) -> Summary:
    """What the run did, for people."""
    rejected = {one.window: f"not in the merged model: {one.reason}" for one in _rejected(merged)}
    rejected |= windows.undelivered
    rows = [_row(windows, number, one, rejected.get(number)) for number, one in sorted(windows.outcomes.items())]
    broken = [one for one in sequence.frames if one.reason is not None]
    rows += [Row(one.name, "failed", (), one.reason or "") for one in broken[:_MOST_NOTES]]
    if len(broken) > _MOST_NOTES:
        rows.append(Row(f"{len(broken) - _MOST_NOTES} more frames", "failed", (), f"see {FAILURES}"))
    rows += [Row(name, "failed", (), why) for name, why in unmatched]
    remarks = list(notes)
    if merged is not None:
        row, more = _merged_row(merged)
        rows.append(row)
        remarks += more
    if no_report is not None:
        rows.append(Row("report", "failed", (), no_report))
    return Summary(
        f"Reconstruct {plan.source.resolve().name}",
        ("frames", "points", "error px", "angle"),
        rows,
        _outputs(plan, merged, bool(failures), no_report),
        remarks,
    )


def _row(windows: WindowRun, number: int, one: Outcome, rejected: str | None) -> Row:
    name = window_name(number, windows.windows[number])
    if one.record is None:
        return Row(name, "failed", (), one.reason or "")
    info = WindowInfo.model_validate(one.record)
    figures = (
        f"{info.registered}/{len(info.frames)}",
        f"{info.points:,}",
        f"{info.mean_reproj_error_px or 0:.2f}",
        f"{info.median_angle_deg or 0:.1f}°",
    )
    if rejected is not None:
        return Row(name, "failed", figures, rejected)
    return Row(name, "cached" if one.cached else "done", figures, "; ".join(info.notes))


def _merged_row(merged: Outcome) -> tuple[Row, list[str]]:
    if merged.record is None:
        return Row("merged model", "failed", (), merged.reason or ""), []
    record = merged.record
    figures = (
        f"{record['registered']}/{record['frames']}",
        f"{record['points']:,}",
        f"{record['mean_reproj_error_px']:.2f}",
        "",
    )
    notes = list(record["notes"])
    for what, names in (("not in the merged model", record["missing"]), ("placed when merging", record["added"])):
        if names:
            more = f" and {len(names) - _MOST_NOTES} more" if len(names) > _MOST_NOTES else ""
            notes.append(f"Frames {what}: {', '.join(names[:_MOST_NOTES])}{more}")
    known = record["reference"]
    if known is not None:
        angle = known["rotation_mean_deg"]
        turned = "" if angle is None else f", rotation error {angle:.2f}° on average"
        notes.append(
            f"Against the reference ({known['images']} images): position RMSE {known['position_rmse']:.4g}, "
            f"at most {known['position_max']:.4g}{turned}; scaled by {known['scale']:.4g}"
        )
    return Row("merged model", "cached" if merged.cached else "done", figures, ""), notes


def _outputs(plan: Plan, merged: Outcome | None, failures: bool, no_report: str | None) -> list[tuple[str, str]]:
    outputs = [("Windows", str(Path(plan.output, "batch_BBB", "window_WWW", "sparse")))]
    if merged is not None and merged.record is not None:
        outputs += [
            ("Merged model", str(plan.output / "merged" / "sparse")),
            ("Alignment", str(plan.output / ALIGNMENT)),
            ("Recording", str(plan.output / RECORDING_FILE)),
        ]
    if no_report is None:
        outputs.append(("Report", str(plan.output / REPORT)))
    if failures:
        outputs.append(("Failures", str(plan.output / FAILURES)))
    return outputs
