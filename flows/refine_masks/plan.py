"""The parameters of `refine_masks`, checked: everything that can be refused is, before any work begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import RefusedInput
from core.models.registry import GENERATORS, Backend, choose
from core.models.roles import MaskGenerator
from core.models.spec import GeneratorSettings, ModelOptions
from core.refining.scenes import IMAGES, MAPS, scene_names
from core.weights.catalogue import find_weights
from core.weights.sam2_names import CONFIGS, SAM_TYPES
from tasks.devices.timeouts import Timeouts
from tasks.placement import Devices, choose_devices
from tasks.store import check_writable

USUAL_CONFIG = "sam2_hiera_l.yaml"
USUAL_CHECKPOINT = Path("model_zoo/sam/sam2_hiera_large.pt")
"""The documented default; where it is missing, the weights that `maskflow weights get` brings are looked for."""


@dataclass(frozen=True)
class Plan:
    """A checked set of parameters: everything that can be refused has been."""

    data_root: Path
    output: Path
    truth: Path | None
    scenes: list[str]
    models: ModelOptions
    generator: Backend[MaskGenerator]
    devices: Devices


def check(
    data_root: Path,
    model_cfg: str,
    checkpoint: Path,
    max_scenes: int | None,
    sequential: bool,
    processes_per_gpu: int,
    scenes: Sequence[str] | None,
    output_dir: Path | None,
    ground_truth: Path | None,
    generator: str,
    sam_image_size: int,
    points_per_side: int,
    points_per_batch: int,
    pred_iou_thresh: float,
    stability_score_thresh: float,
    box_nms_thresh: float,
    crop_n_layers: int,
    min_mask_region_area: int,
    gpu_ids: Sequence[int] | None,
    num_workers: int | None,
    cluster: str | None,
    stall_timeout: float,
    item_timeout: float | None,
) -> Plan:
    """Check everything that can be checked before work begins. Raises `RefusedInput` with parameter, value, remedy."""
    settings = GeneratorSettings(
        points_per_side=points_per_side,
        points_per_batch=points_per_batch,
        pred_iou_thresh=pred_iou_thresh,
        stability_score_thresh=stability_score_thresh,
        box_nms_thresh=box_nms_thresh,
        crop_n_layers=crop_n_layers,
        min_mask_region_area=min_mask_region_area,
    )
    models = _model_options(model_cfg, checkpoint.expanduser(), sam_image_size, settings)
    chosen = choose("generator", generator, GENERATORS, models)
    root = data_root.expanduser()
    names = _scenes(root, scenes, max_scenes)
    if ground_truth is not None and not ground_truth.expanduser().is_dir():
        raise RefusedInput.of("ground_truth", str(ground_truth), "a folder with a folder of true maps for each scene")
    timeouts = Timeouts(stall_timeout, item_timeout)
    devices = choose_devices(gpu_ids, 1 if sequential else num_workers, cluster, timeouts, per_gpu=processes_per_gpu)
    output = root if output_dir is None else output_dir.expanduser()
    inner, outer = output.resolve(), root.resolve()
    if inner.is_relative_to(outer) and {IMAGES, MAPS} & set(inner.relative_to(outer).parts):
        raise RefusedInput.of("output_dir", str(output_dir), "a folder outside the input's images/ and obj_ids/")
    check_writable("data_root" if output_dir is None else "output_dir", output)
    chosen.check(models)  # last, since it may load a library
    truth = None if ground_truth is None else ground_truth.expanduser()
    return Plan(root, output, truth, names, models, chosen, devices)


def _model_options(model_cfg: str, checkpoint: Path, image_size: int, settings: GeneratorSettings) -> ModelOptions:
    sam_type = CONFIGS.get(Path(model_cfg).name)
    if sam_type is None:
        raise RefusedInput.of("model_cfg", model_cfg, "one of " + ", ".join(CONFIGS))
    given = None if checkpoint == USUAL_CHECKPOINT and not checkpoint.exists() else checkpoint
    if given is None and model_cfg == USUAL_CONFIG:  # neither was chosen: any SAM 2 that is there will do
        there = [one for one in (sam_type, *SAM_TYPES) if find_weights(one).place().is_file()]
        sam_type = [*there, sam_type][0]
    return ModelOptions(sam_type=sam_type, sam_image_size=image_size, model_path=given, generator=settings)


def _scenes(root: Path, wanted: Sequence[str] | None, most: int | None) -> list[str]:
    try:
        known = scene_names(root)
    except OSError as error:
        reason = f"a folder of scenes ({(error.strerror or 'unreadable').lower()})"
        raise RefusedInput.of("data_root", str(root), reason) from None
    if not known:
        alone = (root / IMAGES).is_dir() or (root / MAPS).is_dir()
        hint = f"this is a scene itself: give the folder above, {root.absolute().parent}" if alone else (
            f"a folder of scenes, each with {IMAGES}/ and {MAPS}/"
        )  # fmt: skip
        raise RefusedInput.of("data_root", str(root), hint)
    unknown = [name for name in wanted or () if name not in known]
    if unknown or wanted == []:
        more = " …" if len(known) > 10 else ""
        raise RefusedInput.of("scenes", unknown, f"names of scenes in {root}: {', '.join(known[:10])}{more}")
    return [name for name in known if wanted is None or name in wanted][:most]
