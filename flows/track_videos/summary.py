"""The table at the end of a run, and what it made."""

from collections.abc import Mapping, Sequence

from core.quality.review_item import REVIEW_FILE
from core.tracking.prompt_check import PromptProblem
from flows.track_videos.plan import FAILURES, PROBLEMS, Plan
from flows.track_videos.results import objects_path, output_files, report_path, title
from tasks.items import Outcome
from tasks.reporting.summary import Row, Summary

_MOST_PROBLEMS = 5


def summary(
    plan: Plan,
    done: Mapping[str, Outcome],
    failures: Mapping[str, str],
    problems: Sequence[tuple[str, PromptProblem]],
    no_report: str | None,
    notes: list[str],
) -> Summary:
    """What became of each video, and where everything is."""
    rows = []
    for video in plan.videos:
        outcome = done.get(video)
        figures: tuple[str, ...] = ()
        if outcome is not None and outcome.record is not None:
            record = outcome.record
            speed = record["frames"] / max(record["seconds"], 1e-9)
            figures = (str(record["frames"]), str(record["objects"]), f"{record['seconds']:.1f}", f"{speed:.1f}")
        status = "failed" if video in failures else "cached" if outcome is not None and outcome.cached else "done"
        drawn = tuple((word.replace("_", " "), path) for word, path in output_files(plan, video).items())
        rows.append(Row(video, status, figures, failures.get(video, ""), drawn))
    outputs = [("Results", str(plan.results))]
    outputs += [
        (w, str(p)) for w, p in (("Videos", plan.video_dir), ("Recordings", plan.recording_dir)) if p is not None
    ]
    outputs.append(("Objects", str(objects_path(plan))))
    outputs.append(("Review", str(plan.results.parent / REVIEW_FILE)))
    if problems:
        outputs.append(("Problems", f"{plan.results.parent / PROBLEMS} ({len(problems)})"))
        notes = [*notes, *(f"{video}: {one.where}: {one.what}" for video, one in problems[:_MOST_PROBLEMS])]
    if no_report is None:
        outputs.append(("Report", str(report_path(plan))))
    else:
        rows.append(Row("report", "failed", (), no_report))
    if failures:
        outputs.append(("Failures", str(plan.results.parent / FAILURES)))
    return Summary(title(plan), ("frames", "objects", "seconds", "fps"), rows, outputs, notes)
