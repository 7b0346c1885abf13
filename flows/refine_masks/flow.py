"""Instance-id maps of many scenes, refined with generated masks, and a report that tells whether it helped."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled
from pydantic import Field

from core.models.registry import GENERATORS
from core.refining.refine import MatchingName, Settings
from flows.models import role_notes
from flows.refine_masks.chunks import cut, deliver_chunk, forget_failed, scene_files
from flows.refine_masks.comparing import compare_with_truth
from flows.refine_masks.plan import USUAL_CHECKPOINT, USUAL_CONFIG, Plan, check
from flows.refine_masks.results import make_report, note_failures, scene_line, summarise_run
from tasks.cancellation import how_to_cancel
from tasks.devices.slots import MAX_SLOTS
from tasks.devices.timeouts import STALL_TIMEOUT_S
from tasks.hashing import read_files
from tasks.items import Stage, run_name
from tasks.reporting.delivery import deliverable
from tasks.reporting.summary import publish
from tasks.running import RunCancelled, item_run, item_runner, run_items
from tasks.store import RunStore


def _describe(done: dict[str, Any], verbose: bool) -> list[str]:
    count, scene = len(done["images"]), done["scene"]
    speed = count / max(done["seconds"], 1e-9)
    lines = [f"{scene}: {count} image{'' if count == 1 else 's'} in {done['seconds']:.2f}s ({speed:.2f} a second)"]
    if verbose:
        lines += [f"{scene}/{image}: {told}" for image, told in done["images"].items()]
    lines += [f"{scene}/{image}: {told}" for image, told in done["warnings"].items()]
    return lines + [f"✗ {scene}/{image}: {why}" for image, why in done["failed"].items()]


def _run_name() -> str:
    return run_name(f"refine {Path(str(flow_run.parameters.get('data_root'))).name}")


@flow(name="refine-masks", flow_run_name=_run_name, task_runner=item_runner())
def refine_masks(
    data_root: Path,
    model_cfg: str = USUAL_CONFIG,
    checkpoint: Path = USUAL_CHECKPOINT,
    max_scenes: Annotated[int | None, Field(ge=1)] = None,
    sequential: bool = False,
    processes_per_gpu: Annotated[int, Field(ge=1, le=MAX_SLOTS)] = 2,
    verbose: bool = False,
    scenes: list[str] | None = None,
    output_dir: Path | None = None,
    ground_truth: Path | None = None,
    generator: Literal["auto", "sam2", "classical"] = "auto",
    sam_image_size: Annotated[int, Field(ge=64, le=2048, multiple_of=32)] = 1024,
    points_per_side: Annotated[int, Field(ge=1, le=256)] = 32,
    points_per_batch: Annotated[int, Field(ge=1, le=4096)] = 64,
    pred_iou_thresh: Annotated[float, Field(ge=0, le=1)] = 0.7,
    stability_score_thresh: Annotated[float, Field(ge=0, le=1)] = 0.5,
    box_nms_thresh: Annotated[float, Field(gt=0, le=1)] = 0.7,
    crop_n_layers: Annotated[int, Field(ge=0, le=4)] = 0,
    min_mask_region_area: Annotated[int, Field(ge=0)] = 100,
    matching: MatchingName = "optimal",
    iou_threshold: Annotated[float, Field(gt=0, le=1)] = 0.3,
    max_spread: Annotated[int, Field(ge=0, le=200)] = 10,
    min_evidence: Annotated[float, Field(ge=-5, le=5)] = 3.0,
    background_ids: list[int] | None = None,
    png: bool = False,
    gpu_ids: list[int] | None = None,
    num_workers: Annotated[int | None, Field(ge=1, le=MAX_SLOTS)] = None,
    cluster: str | None = None,
    stall_timeout: Annotated[float, Field(gt=0)] = STALL_TIMEOUT_S,
    item_timeout: Annotated[float | None, Field(gt=0)] = None,
    resume: bool = True,
) -> State[None]:
    """Refine the instance-id maps of many scenes with generated masks, and report what that did.

    Reads SCENE/images/ and SCENE/obj_ids/, writes SCENE/obj_ids_refine/IMAGE.pth; the input is never touched.
    Finished images are kept: run the same command again to go on after an interruption, or to try failures again.

    Args:
        data_root: folder of the scenes; each has images/ and obj_ids/ with IMAGE.pth (or .png, .npz) for each image.
        model_cfg: which SAM 2, by the package's configuration file; where left out, any that is on disk.
        checkpoint: its weights; where left out and not there, models/sam2/checkpoints/.
        max_scenes: refine only so many, the first by name.
        sequential: one image after another, on one device.
        processes_per_gpu: images refined at once on each GPU.
        verbose: log a line for each image.
        scenes: refine only these, by name.
        output_dir: folder for the results, by scene; beside the input when left out.
        ground_truth: folder with true maps as SCENE/obj_ids/IMAGE.pth or SCENE/IMAGE.pth, to compare with.
        generator: what finds the masks; auto takes sam2 where its weights are on disk.
        sam_image_size: side of the square that SAM 2 sees, in steps of 32.
        points_per_side: SAM 2 is asked at a grid of so many points a side.
        points_per_batch: points in one forward pass; halved by itself where memory runs out.
        pred_iou_thresh: drop SAM 2's masks whose predicted IoU is under this.
        stability_score_thresh: drop SAM 2's masks whose stability is under this.
        box_nms_thresh: of two SAM 2 masks whose boxes overlap more than this, keep the better.
        crop_n_layers: ask SAM 2 again on 2^n x 2^n crops, for n up to this.
        min_mask_region_area: remove holes and islands of fewer pixels from SAM 2's masks.
        matching: how masks find their ids; documented keeps the greedy stages of the old tool, to compare.
        iou_threshold: least IoU of masks with an id that counts as a match.
        max_spread: pixels that an id may grow beyond its own.
        min_evidence: how clearly colours must speak for a change (nats a pixel, -5 to 5); -5 trusts every mask.
        background_ids: ids that are no objects, instead of all from 0 down.
        png: write 16-bit PNG files too.
        gpu_ids: GPUs to use; every GPU when left out.
        num_workers: images refined at once; without a GPU one per core when left out.
        cluster: Dask cluster to spread the work over, with shared storage: tcp://HOST:PORT, or slurm:JOBS.
        stall_timeout: seconds without progress after which an item is killed and has failed.
        item_timeout: seconds after which an item is killed and has failed, progress or not; no limit when left out.
        resume: keep finished images; no-resume refines all anew.
    """
    log = get_run_logger()
    log.info(how_to_cancel())
    plan = check(
        data_root=data_root,
        model_cfg=model_cfg,
        checkpoint=checkpoint,
        max_scenes=max_scenes,
        sequential=sequential,
        processes_per_gpu=processes_per_gpu,
        scenes=scenes,
        output_dir=output_dir,
        ground_truth=ground_truth,
        generator=generator,
        sam_image_size=sam_image_size,
        points_per_side=points_per_side,
        points_per_batch=points_per_batch,
        pred_iou_thresh=pred_iou_thresh,
        stability_score_thresh=stability_score_thresh,
        box_nms_thresh=box_nms_thresh,
        crop_n_layers=crop_n_layers,
        min_mask_region_area=min_mask_region_area,
        gpu_ids=gpu_ids,
        num_workers=num_workers,
        cluster=cluster,
        stall_timeout=stall_timeout,
        item_timeout=item_timeout,
    )
    notes = role_notes("Generator", plan.models, generator, plan.generator, GENERATORS[0], plan.models.model_path)
    if plan.generator.weights is None:
        notes.append("The built-in generator mends badly spoilt maps and does some harm to good ones: see the report")
    for note in notes:
        log.info(note)
    settings = Settings(
        matching=matching,
        iou_threshold=iou_threshold,
        max_spread=max_spread,
        min_evidence=min_evidence,
        background=None if background_ids is None else tuple(sorted(set(background_ids))),
    )
    refine = Stage("refine", "core.refining.chunk_item:refine_images", partial(_describe, verbose=verbose))
    store = RunStore(plan.output)
    read_files(store.digests, scene_files(plan))
    runs, items = cut(plan, store, plan.generator.spec(plan.models, store.digests.content), settings, png)
    try:
        with deliverable(plan.output), item_run(store, plan.devices, len(items)) as run:
            run_items(run, refine, items, resume, partial(deliver_chunk, plan, store, runs, png))
            note_failures(plan, runs)
            compared, found = (
                ({}, []) if plan.truth is None else compare_with_truth(run, refine, runs, settings, resume)
            )
            for note in found:
                log.info(note)
            notes += found
            facts = [("input", str(plan.data_root)), *_facts(plan, settings, notes)]
            summaries, no_report = make_report(run, refine, plan, runs, compared, facts, settings.background, resume)
    except RunCancelled as cancelled:
        return Cancelled(message=str(cancelled))
    for name, summary in summaries.items():
        log.info(scene_line(name, runs[name], summary))
    with deliverable(plan.output):
        forget_failed(runs)
    return publish(summarise_run(plan, runs, summaries, no_report, notes))


def _facts(plan: Plan, settings: Settings, notes: list[str]) -> list[tuple[str, str]]:
    facts = [(name.replace("_", " "), str(value)) for name, value in settings.model_dump().items()]
    if plan.generator.weights is not None:
        facts += [(name.replace("_", " "), str(value)) for name, value in plan.models.generator.model_dump().items()]
    return [(name, value) for name, value in facts if value != "None"] + [("", note) for note in notes]
