"""What tracking came to: the combined recording, a script that shows it, the page, failures, the summary."""

import shlex
from collections.abc import Callable, Sequence
from typing import Any

from core.errors import RefusedInput
from core.formats.failures_jsonl import write_failures
from core.points.settings import COMBINED
from core.points.wording import distances, splitting
from core.report.page import REPORT_FILE
from flows.track_mask_points.instances import CLIP, MERGE, TRACK, InstanceRun, TrackSettings
from flows.track_mask_points.plan import Plan
from tasks.items import Item, Outcome, Stage, item_key
from tasks.reporting.delivery import Deliveries, undelivered
from tasks.reporting.facts import run_facts
from tasks.reporting.summary import Row, Summary
from tasks.running import ItemRun, run_items

FAILURES = "failures.jsonl"
RECORD = Stage("recording", "core.points.record_item:record_combined", lambda done: [f"{done['batches']} batches"])
REPORT = Stage("report", "core.points.report_item:report_points", lambda _: [], page=True, version=2)


def list_failures(clips: Sequence[Outcome], instances: Sequence[InstanceRun]) -> list[tuple[str, str]]:
    """Clips that cannot be used; instances and batches that failed."""
    failures = [(one.item.name, one.reason) for one in clips if one.reason is not None]
    return failures + [failure for one in instances for failure in one.shortcomings]


def note_failures(plan: Plan, failures: Sequence[tuple[str, str]]) -> None:
    """Write `failures.jsonl`."""
    write_failures(plan.output / FAILURES, failures)


def make_recording(
    run: ItemRun,
    plan: Plan,
    done: Sequence[InstanceRun],
    settings: TrackSettings,
    refined: bool,
    deliveries: Deliveries,
) -> str | None:
    """Put the scene and all batches into one recording, with a script that shows it; why there is none."""
    if not done:
        return None
    what = {"recording_id": settings.recording_id, "refined": refined, **settings.sampling}
    inputs = {"clip": item_key(CLIP, done[0].clip.item), "instances": [_merged_key(one) for one in done], **what}
    request = {"clip": str(done[0].clip.folder.absolute()), "instances": [_recorded(one) for one in done], **what}
    (outcome,) = run_items(run, RECORD, [Item("combined recording", inputs, request, 1.0)])
    if outcome.record is None:
        return outcome.reason
    name = f"{plan.name}_combined.rrd"
    command = f'cd -- "$(dirname -- "$0")" && exec rerun {shlex.quote(f"./{name}")}'
    script = f"#!/bin/sh\n# Shows the scene and all tracks; rerun comes with Maskflow's environment.\n{command}\n"
    return _delivered(
        lambda: deliveries.add(outcome.folder / COMBINED, name),
        lambda: deliveries.text(script, f"view_{plan.name}_combined.sh", executable=True),
    )


def _delivered(*puts: Callable[[], None]) -> str | None:
    """Put files where they belong; why that cannot be done."""
    try:
        for put in puts:
            put()
    except (OSError, RefusedInput) as error:
        return undelivered(error)
    return None


def _merged_key(one: InstanceRun) -> list[Any]:
    assert one.merged is not None
    return [one.label, item_key(MERGE, one.merged.item), [item_key(TRACK, batch.item) for batch in one.batches]]


def _recorded(one: InstanceRun) -> dict[str, Any]:
    assert one.merged is not None
    return {
        "label": one.label,
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
    deliveries: Deliveries,
) -> str | None:
    """Make the page and put it where it belongs; why there is none."""
    if not done:
        return None
    what = {
        "title": f"Points of {plan.npz.name}",
        "facts": [list(fact) for fact in facts],
        "failures": [list(failure) for failure in failures],
        **settings.sampling,
    }
    inputs = {"clip": item_key(CLIP, done[0].clip.item), "instances": [_merged_key(one) for one in done], **what}
    request = {
        "clip": str(done[0].clip.folder.absolute()),
        "instances": [_reported(one) for one in done],
        **what,
        "run": run_facts(run.made),
    }
    (outcome,) = run_items(run, REPORT, [Item("report", inputs, request, 1.0)])
    if outcome.record is None:
        return outcome.reason
    return _delivered(lambda: deliveries.add(outcome.folder / REPORT_FILE, f"{plan.name}_report.html"))


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
    columns[4:4] = (["kept"] if refined else []) + (["splitting"] if plan.tracker.joint else [])
    rows = [Row(one.item.name, "failed", (), one.reason) for one in clips if one.reason is not None]
    rows += [_row(one, columns) for one in instances]
    rows += [Row(name, "failed", (), why) for name, why in broken if why is not None]
    outputs = []
    if any(not one.failures for one in instances):
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
    if not one.failures and one.merged is not None and one.queries is not None:
        merged, points = one.merged.record or {}, one.queries.record or {}
        batches = len(points["sizes"])
        known = {
            "points": f"{points['points']:,}",
            "batches": f"{batches}",
            "visible": f"{merged['visible']:.0%}",
            "motion": distances(merged["motion_m"]),
            "kept": "" if merged["refined"] is None else f"{merged['refined']['kept']:,}",
            "splitting": splitting(merged, batches),
            "s": f"{sum(batch.record['seconds'] for batch in one.batches if batch.record is not None):.0f}",
        }
    cached = bool(one.outcomes) and all(outcome.cached for outcome in one.outcomes)
    status = "failed" if one.shortcomings else "cached" if cached else "done"
    return Row(one.name, status, tuple(known[name] for name in columns if name in known), _reason(one))


def _reason(one: InstanceRun) -> str:
    if not one.shortcomings:
        return ""
    what, why = one.shortcomings[0]
    first = why if what == one.name else f"{what}: {why}"
    return first if len(one.shortcomings) == 1 else f"{first}; {len(one.shortcomings) - 1} more in {FAILURES}"
