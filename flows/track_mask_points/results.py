"""What tracking came to: the combined recording, a script that shows it, the page, failures, the summary."""

import shlex
from collections.abc import Sequence
from typing import Any

from core.formats.failures_jsonl import write_failures
from core.points.record_item import COMBINED
from core.points.report import distances, kept, splitting
from core.points.report_item import REPORT_FILE
from core.store.atomic import write_text
from flows.track_mask_points.instances import CLIP, MERGE, TRACK, InstanceRun, TrackSettings, entity
from flows.track_mask_points.plan import Plan
from tasks.deliver import deliver
from tasks.items import Item, ItemRun, Outcome, Stage, item_key, run_items
from tasks.summary import Row, Summary

FAILURES = "failures.jsonl"
RECORD = Stage("recording", "core.points.record_item:record_combined", lambda done: [f"{done['batches']} batches"])
REPORT = Stage("report", "core.points.report_item:report_points", lambda _: [])


def note_failures(plan: Plan, clips: Sequence[Outcome], instances: Sequence[InstanceRun]) -> list[tuple[str, str]]:
    """Write `failures.jsonl`: clips that cannot be used, instances that were not tracked."""
    failures = [(one.item.name, one.reason) for one in clips if one.reason is not None]
    failures += [(one.name, one.reason) for one in instances if one.reason is not None]
    write_failures(plan.output / FAILURES, failures)
    return failures


def make_recording(
    run: ItemRun, plan: Plan, done: Sequence[InstanceRun], settings: TrackSettings, refined: bool, resume: bool
) -> str | None:
    """Put the scene and all batches into one recording, with a script that shows it; why there is none."""
    place, script = plan.output / f"{plan.name}_combined.rrd", plan.output / f"view_{plan.name}_combined.sh"
    outcome = None
    if done:
        what = {
            "temporal_stride": settings.temporal_stride,
            "spatial_downsample": settings.spatial_downsample,
            "recording_id": settings.recording_id,
            "refined": refined,
        }
        merged = [_merged_key(one) for one in done]
        inputs = {"clip": item_key(CLIP, done[0].clip.item), "instances": merged, **what}
        request = {"clip": str(done[0].clip.folder.absolute()), "instances": [_recorded(one) for one in done], **what}
        (outcome,) = run_items(run, RECORD, [Item("combined recording", inputs, request, 1.0)], resume)
    if outcome is None or outcome.record is None:
        for stale in (place, script):
            stale.unlink(missing_ok=True)
        return None if outcome is None else outcome.reason
    deliver(outcome.folder / COMBINED, place, run.store.digests)
    command = f'cd -- "$(dirname -- "$0")" && exec rerun {shlex.quote(f"./{place.name}")}'
    write_text(
        script, f"#!/bin/sh\n# Shows the scene and all tracks; rerun comes with Maskflow's environment.\n{command}\n"
    )
    script.chmod(0o755)
    return None


def _merged_key(one: InstanceRun) -> list[Any]:
    assert one.merged is not None
    return [one.label, entity(one), item_key(MERGE, one.merged.item), [item_key(TRACK, b.item) for b in one.batches]]


def _recorded(one: InstanceRun) -> dict[str, Any]:
    assert one.merged is not None
    return {
        "name": one.name,
        "entity": entity(one),
        "merged": str(one.merged.folder.absolute()),
        "batches": [str(batch.folder.absolute()) for batch in one.batches],
    }


def make_report(
    run: ItemRun,
    plan: Plan,
    done: Sequence[InstanceRun],
    settings: TrackSettings,
    facts: Sequence[tuple[str, str]],
    failures: Sequence[tuple[str, str]],
    resume: bool,
) -> str | None:
    """Make the page and put it where it belongs; why there is none."""
    place = plan.output / f"{plan.name}_report.html"
    outcome = None
    if done:
        what = {
            "title": f"Points of {plan.npz.name}",
            "temporal_stride": settings.temporal_stride,
            "spatial_downsample": settings.spatial_downsample,
            "facts": [list(fact) for fact in facts],
            "failures": [list(failure) for failure in failures],
        }
        merged = [_merged_key(one) for one in done]
        inputs = {"clip": item_key(CLIP, done[0].clip.item), "instances": merged, **what}
        request = {"clip": str(done[0].clip.folder.absolute()), "instances": [_reported(one) for one in done], **what}
        (outcome,) = run_items(run, REPORT, [Item("report", inputs, request, 1.0)], resume)
    if outcome is None or outcome.record is None:
        place.unlink(missing_ok=True)  # that of an earlier run would not be true
        return None if outcome is None else outcome.reason
    deliver(outcome.folder / REPORT_FILE, place, run.store.digests)
    return None


def _reported(one: InstanceRun) -> dict[str, Any]:
    assert one.merged is not None
    assert one.queries is not None
    folder = str(one.merged.folder.absolute())
    return {"name": one.name, "merged": folder, "queries": one.queries.record, "figures": one.merged.record}


def summarise_run(
    plan: Plan,
    clips: Sequence[Outcome],
    instances: Sequence[InstanceRun],
    broken: Sequence[tuple[str, str | None]],
    refined: bool,
    notes: Sequence[str],
) -> Summary:
    """What the run did, for people; `broken`: what else could not be made, and why."""
    columns = ["points", "batches", "visible", "motion", "s"]
    columns[4:4] = (["kept"] if refined else []) + (["splitting"] if plan.tracker.uses_gpu else [])
    rows = [Row(one.item.name, "failed", (), one.reason) for one in clips if one.reason is not None]
    rows += [_row(one, columns) for one in instances]
    rows += [Row(name, "failed", (), why) for name, why in broken if why is not None]
    outputs = []
    if any(one.reason is None for one in instances):
        outputs = [
            ("Tracks", str(plan.output / f"{plan.name}_INSTANCE_tracked.npz")),
            ("Recording", str(plan.output / f"{plan.name}_combined.rrd")),
            ("Show it", f"sh {shlex.quote(str(plan.output / f'view_{plan.name}_combined.sh'))}"),
            ("Report", str(plan.output / f"{plan.name}_report.html")),
        ]
    if any(row.status == "failed" for row in rows):
        outputs.append(("Failures", str(plan.output / FAILURES)))
    return Summary(f"Track points of {plan.npz.name}", tuple(columns), rows, outputs, notes)


def _row(one: InstanceRun, columns: Sequence[str]) -> Row:
    known: dict[str, str] = {}
    if one.reason is None and one.merged is not None and one.queries is not None:
        told, points = one.merged.record or {}, one.queries.record or {}
        batches = len(points["sizes"])
        known = {
            "points": f"{points['points']:,}",
            "batches": f"{batches}",
            "visible": f"{told['visible']:.0%}",
            "motion": distances(told["motion_m"]),
            "kept": kept(told),
            "splitting": splitting(told, batches),
            "s": f"{sum(batch.record['seconds'] for batch in one.batches if batch.record is not None):.0f}",
        }
    cached = bool(one.outcomes) and all(outcome.cached for outcome in one.outcomes)
    status = "failed" if one.reason is not None else "cached" if cached else "done"
    return Row(one.name, status, tuple(known[name] for name in columns if name in known), one.reason or "")
