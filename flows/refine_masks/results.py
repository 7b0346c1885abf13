"""What refining came to: the report, the summary, a line for each scene."""

from typing import Any

from core.formats.failures_jsonl import write_failures
from core.refining import report_item as reported
from core.report.page import REPORT_FILE
from flows.refine_masks.chunks import SceneRun, request_of
from flows.refine_masks.comparing import COMPARE
from flows.refine_masks.plan import Plan
from tasks.items import Item, Outcome, Stage, item_key
from tasks.reporting.delivery import deliver, undelivered
from tasks.reporting.facts import run_facts
from tasks.reporting.summary import Row, Summary
from tasks.running import ItemRun, run_items

FAILURES, REPORT = "failures.jsonl", "refine_report"
MAKE_REPORT = Stage("report", "core.refining.report_item:report_refined", lambda _: [], page=True, version=2)
_DELIVERED = (
    (REPORT_FILE, f"{REPORT}.html"),
    (reported.SUMMARY_FILE, f"{REPORT}.json"),
    (reported.IMAGES_FILE, f"{REPORT}.jsonl"),
    (reported.REVIEW_FILE, "review.jsonl"),
)


def make_report(
    run: ItemRun,
    refine: Stage,
    plan: Plan,
    runs: dict[str, SceneRun],
    compared: dict[str, Outcome],
    facts: list[tuple[str, str]],
    background: tuple[int, ...] | None,
) -> tuple[dict[str, Any], str | None]:
    """Put the report together and where it belongs; each scene's summary by name, and why there is no report."""
    scenes, inputs = [], []
    for name, scene in runs.items():
        done = scene.done()
        with_truth = [compared[one.item.name] for one in done if one.item.name in compared]
        about = {
            "name": name,
            "total_images": scene.total,
            "failures": sorted(scene.failures),
            "warnings": [
                pair for one in [*done, *with_truth] for pair in (one.record or {}).get("warnings", {}).items()
            ],
        }
        scenes.append({**about, "chunks": [_chunk(scene, one, compared.get(one.item.name)) for one in done]})
        keys = [item_key(refine, one.item) for one in done] + [item_key(COMPARE, one.item) for one in with_truth]
        inputs.append({**about, "chunks": keys})
    title = f"Refined maps of {plan.data_root.resolve().name}"
    what = {"title": title, "facts": facts, "background": background}
    item = Item("report", {"scenes": inputs, **what}, {"scenes": scenes, **what, "run": run_facts(run.made)}, 1.0)
    (outcome,) = run_items(run, MAKE_REPORT, [item])
    reason = outcome.reason
    for made, wanted in _DELIVERED:
        try:
            if outcome.record is None:
                (plan.output / wanted).unlink(missing_ok=True)  # that of an earlier run would not be true
            else:
                deliver(outcome.folder / made, plan.output / wanted, run.store.digests)
        except OSError as error:
            reason = undelivered(error)
    return (outcome.record or {}).get("scenes", {}), reason


def _chunk(scene: SceneRun, done: Outcome, compared: Outcome | None) -> dict[str, Any]:
    files = scene.items[done.item.name]
    chunk: dict[str, Any] = {"folder": str(done.folder), "images": [request_of(one) for one in files]}
    if compared is not None and compared.record is not None:
        chunk["compared"] = str(compared.folder)
        chunk["truth"] = {one.name: str(one.truth.absolute()) for one in files if one.truth is not None}
    return chunk


def note_failures(plan: Plan, runs: dict[str, SceneRun]) -> None:
    """Write `failures.jsonl`: a line for each image or scene that was not refined."""
    failures = [(f"{n}/{image}" if image else n, why) for n, run in runs.items() for image, why in sorted(run.failures)]
    write_failures(plan.output / FAILURES, failures)


def scene_line(name: str, run: SceneRun, summary: dict[str, Any]) -> str:
    """The documented line about a scene, for the log."""
    if not run.done():
        return f"✗ {name}: {_reason(run)}"
    mark = "✗" if run.failures else "✓"
    return (
        f"{mark} {name}: {summary['successful']}/{summary['total_images']} refined, "
        f"background {summary['avg_invalid_ratio']:.1%}, matched {summary['total_sam_matched']} of "
        f"{summary['total_objects']} ids, merged {summary['total_merged']}"
    )


def summarise_run(
    plan: Plan, runs: dict[str, SceneRun], summaries: dict[str, Any], no_report: str | None, notes: list[str]
) -> Summary:
    """What the run did, for people."""
    truth = any(summary["truth"] for summary in summaries.values())
    rows = [_row(name, run, summaries.get(name), truth) for name, run in runs.items()]
    refined = sum(summary["successful"] for summary in summaries.values())
    outputs = [("Images", f"{refined} of {sum(run.total for run in runs.values())} refined")]
    outputs += [("Refined maps", str(plan.output / "SCENE" / "obj_ids_refine"))]
    if no_report is None:
        outputs.append(("Report", str(plan.output / f"{REPORT}.html")))
    else:
        rows.append(Row("report", "failed", (), no_report))
    if any(run.failures for run in runs.values()):
        outputs.append(("Failures", str(plan.output / FAILURES)))
    heads = ("images", "matched", *(["mIoU"] if truth else []), "changed", "IoU to input", "s")
    return Summary(f"Refine {plan.data_root.resolve().name}", heads, rows, outputs, notes)


def _row(name: str, run: SceneRun, summary: dict[str, Any] | None, truth: bool) -> Row:
    done = run.done()
    cached = bool(done) and all(one.cached for one in run.outcomes)
    status = "failed" if run.failures else "cached" if cached else "done"
    figures: tuple[str, ...] = ()
    if summary is not None and done:
        records = [one.record for one in done if one.record is not None]
        known = summary["truth"]
        miou = "" if known is None else f"{known['miou_before']:.3f} → {known['miou_after']:.3f}"
        figures = (
            f"{summary['successful']}/{summary['total_images']}",
            f"{summary['total_sam_matched']}/{summary['total_objects']}",
            *([miou] if truth else []),
            f"{summary['avg_changed']:.2%}",
            f"{summary['avg_mean_iou']:.3f}",
            f"{sum(record['seconds'] for record in records):.0f}",
        )
    return Row(name, status, figures, _reason(run))


def _reason(run: SceneRun) -> str:
    if not run.failures:
        return ""
    image, why = min(run.failures)
    first = f"{image}: {why}" if image and not why.startswith(image) else why
    return first if len(run.failures) == 1 else f"{len(run.failures)} images; {first}"
