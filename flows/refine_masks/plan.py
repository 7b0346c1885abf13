"""The parameters of `refine_masks`, checked: everything that can be refused is, before any work begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import RefusedInput, reason_of
from core.models.backend import Backend
from core.models.options import GeneratorOptions
from core.models.registry import GENERATORS
from core.models.roles import MaskGenerator
from core.refining.scenes import IMAGES, MAPS, scene_names
from core.weights.catalogue import find_weights
from core.weights.sam2_names import CONFIGS, SAM_TYPES
from flows.checking import here, once_a_run, output_beside
from flows.options import Devices, Execution, place
from flows.refine_masks.options import USUAL_CHECKPOINT, USUAL_CONFIG, MaskGeneration
from tasks.placement import Placement
from tasks.store import check_writable


@dataclass(frozen=True)
class Plan:
    """A checked set of parameters: everything that can be refused has been."""

    data_root: Path
    output: Path
    truth: Path | None
    scenes: list[str]
    models: GeneratorOptions
    generator: Backend[MaskGenerator]
    placement: Placement


@once_a_run(inputs=("ground_truth",), output_folders=("output_dir",))
def check(
    data_root: Path,
    max_scenes: int | None,
    sequential: bool,
    processes_per_gpu: int,
    scenes: Sequence[str] | None,
    output_dir: Path | None,
    ground_truth: Path | None,
    masks: MaskGeneration,
    devices: Devices,
    execution: Execution,
) -> Plan:
    """Check everything that can be checked before work begins. Raises `RefusedInput` with parameter, value, remedy."""
    output = output_beside("data_root", data_root) if output_dir is None else output_dir
    data_root = here("data_root", data_root)
    models = _model_options(masks)
    chosen = GENERATORS.choose(masks.generator, models)
    names = _scenes(data_root, scenes, max_scenes)
    if ground_truth is not None and not ground_truth.is_dir():
        raise RefusedInput.of("ground_truth", str(ground_truth), "a folder with a folder of true maps for each scene")
    if sequential:
        devices = devices.model_copy(update={"num_workers": 1})
    placement = place(devices, execution, per_gpu=processes_per_gpu)
    inner, outer = output.resolve(), data_root.resolve()
    if inner.is_relative_to(outer) and {IMAGES, MAPS} & set(inner.relative_to(outer).parts):
        raise RefusedInput.of("output_dir", str(output_dir), "a folder outside the input's images/ and obj_ids/")
    check_writable("data_root" if output_dir is None else "output_dir", output)
    chosen.check(models)  # last, since it may load a library
    return Plan(data_root, output, ground_truth, names, models, chosen, placement)


def _model_options(masks: MaskGeneration) -> GeneratorOptions:
    sam_type = CONFIGS.get(Path(masks.model_cfg).name)
    if sam_type is None:
        raise RefusedInput.of("model_cfg", masks.model_cfg, "one of " + ", ".join(CONFIGS))
    checkpoint = masks.checkpoint
    given = None if checkpoint == USUAL_CHECKPOINT and not checkpoint.exists() else checkpoint
    if given is None and masks.model_cfg == USUAL_CONFIG:  # neither was chosen: any SAM 2 that is there will do
        there = [one for one in (sam_type, *SAM_TYPES) if find_weights(one).place().is_file()]
        sam_type = [*there, sam_type][0]
    return GeneratorOptions(
        sam_type=sam_type,
        sam_image_size=masks.sam_image_size,
        sam_precision=masks.sam_precision,
        model_path=given,
        generator=masks.settings,
    )


def _scenes(root: Path, wanted: Sequence[str] | None, most: int | None) -> list[str]:
    try:
        known = scene_names(root)
    except OSError as error:
        reason = f"a folder of scenes ({reason_of(error)})"
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
