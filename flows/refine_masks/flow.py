"""Instance-id maps of many scenes, refined with generated masks, and a report that shows whether it helped."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from core.models.registry import GENERATORS
from core.refining.refine import Settings
from core.report.page import fact_of
from core.store.paths import UserPath
from flows.options import Devices, Execution, warn
from flows.refine_masks.chunks import cut, deliver_chunk, forget_failed, scene_files
from flows.refine_masks.comparing import compare_with_truth
from flows.refine_masks.options import MaskGeneration, Matching
from flows.refine_masks.plan import Plan, check
from flows.refine_masks.results import make_report, note_failures, scene_line, summarise_run
from tasks.cancellation import how_to_cancel
from tasks.devices.slots import MAX_SLOTS
from tasks.elsewhere import origin_of
from tasks.ending import RunEnded
from tasks.inputs import read_files
from tasks.items import Stage, run_name
from tasks.reporting.delivery import deliverable
from tasks.reporting.summary import publish
from tasks.running import item_run, item_runner, run_items
from tasks.store import RunStore


def _describe(done: dict[str, Any], verbose: bool) -> list[str]:
    count, scene = len(done["images"]), done["scene"]
    speed = count / max(done["seconds"], 1e-9)
    lines = [f"{scene}: {count} image{'' if count == 1 else 's'} in {done['seconds']:.2f}s ({speed:.2f} a second)"]
    if verbose:
        lines += [f"{scene}/{image}: {line}" for image, line in done["images"].items()]
    lines += [f"{scene}/{image}: {line}" for image, line in done["warnings"].items()]
    return lines + [f"✗ {scene}/{image}: {why}" for image, why in done["failed"].items()]


def _run_name() -> str:
    return run_name(f"refine {Path(str(flow_run.parameters.get('data_root'))).name}")


@flow(name="refine-masks", flow_run_name=_run_name, task_runner=item_runner())
def refine_masks(
    data_root: UserPath,
    max_scenes: Annotated[int | None, Field(ge=1)] = None,
    sequential: bool = False,
    processes_per_gpu: Annotated[int, Field(ge=1, le=MAX_SLOTS)] = 2,
    verbose: bool = False,
    scenes: list[str] | None = None,
    output_dir: UserPath | None = None,
    ground_truth: UserPath | None = None,
    png: bool = False,
    masks: MaskGeneration = MaskGeneration(),
    matching: Matching = Matching(),
    devices: Devices = Devices(),
    execution: Execution = Execution(),
) -> State[None]:
    """Refine the instance-id maps of many scenes with generated masks, and report what that did.

    Reads SCENE/images/ and SCENE/obj_ids/, writes SCENE/obj_ids_refine/IMAGE.pth; the input is never touched.
    Finished images are kept: run the same command again to go on after an interruption, or to try failures again.

    Args:
        data_root: Folder of the scenes; each has images/ and obj_ids/ with IMAGE.pth (or .png, .npz) for each image.
        max_scenes: Refine only so many, the first by name.
        sequential: One image after another, on one device.
        processes_per_gpu: Images refined at once on each GPU.
        verbose: Log a line for each image.
        scenes: Refine only these, by name.
        output_dir: Folder for the results, by scene; beside the input when left out.
        ground_truth: Folder with true maps as SCENE/obj_ids/IMAGE.pth or SCENE/IMAGE.pth, to compare with.
        png: Write 16-bit PNG files too.
        masks: What finds the masks, and how.
        matching: How masks find their ids, and what they may change.
        devices: Where the work is done.
        execution: How long items may take, and what becomes of those finished before.
    """
    log = get_run_logger()
    log.info(how_to_cancel())
    plan = check(
        data_root,
        max_scenes,
        sequential,
        processes_per_gpu,
        scenes,
        output_dir,
        ground_truth,
        masks,
        devices,
        execution,
    )
    notes = GENERATORS.notes(masks.generator, plan.generator, plan.models)
    for note in notes:
        log.info(note)
    notes += warn(log, None, plan.generator)
    settings = Settings(
        matching=matching.matching,
        iou_threshold=matching.iou_threshold,
        max_spread=matching.max_spread,
        min_evidence=matching.min_evidence,
        background=None if matching.background_ids is None else tuple(sorted(set(matching.background_ids))),
    )
    refine = Stage("refine", "core.refining.chunk_item:refine_images", partial(_describe, verbose=verbose), version=2)
    store = RunStore(plan.output)
    read_files(store.digests, scene_files(plan))
    runs, items = cut(plan, store, plan.generator.spec(plan.models, store.digests.content), settings, png)
    try:
        with (
            deliverable(plan.output),
            item_run(store, plan.placement, len(items), execution.mode) as run,
        ):
            run_items(run, refine, items, partial(deliver_chunk, plan, store, runs, png))
            run.end_plan()
            note_failures(plan, runs)
            compared, found = ({}, []) if plan.truth is None else compare_with_truth(run, refine, runs, settings)
            for note in found:
                log.info(note)
            notes += found
            facts = [("input", origin_of(plan.data_root)), *_facts(plan, settings, notes)]
            summaries, no_report = make_report(run, refine, plan, runs, compared, facts, settings.background)
    except RunEnded as ended:
        return ended.state()
    for name, summary in summaries.items():
        log.info(scene_line(name, runs[name], summary))
    with deliverable(plan.output):
        forget_failed(runs)
    return publish(summarise_run(plan, runs, summaries, no_report, notes), run)


def _facts(plan: Plan, settings: Settings, notes: list[str]) -> list[tuple[str, str]]:
    facts = [(name.replace("_", " "), str(value)) for name, value in settings.model_dump().items()]
    if plan.generator.weights is not None:
        facts += [(name.replace("_", " "), str(value)) for name, value in plan.models.generator.model_dump().items()]
    return [(name, value) for name, value in facts if value != "None"] + list(map(fact_of, notes))
