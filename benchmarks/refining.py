"""Id maps of real photographs, spoilt, refined with the built-in generator, and compared with the truth."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmarks.common import DATA, need_data
from benchmarks.degrade import KINDS
from core.formats.id_maps import IdMap
from core.models.classical.generator import ClassicalMaskGenerator
from core.refining.refine import MatchingName, Settings, refine_map
from core.refining.scores import TruthScore, compare, score
from core.video.frames import RGB
from core.video.image_file import read_image

OFF_SHARE = 0.006  # of the picture's width: 12 px of 2,048


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture with its true ids."""

    name: str
    image: RGB
    truth: IdMap


def photographs() -> Iterator[Photograph]:
    """ADE20K (instances) and COCO panoptic."""
    for path in sorted((DATA / "idmaps/ade20k_street").glob("*.jpg")):
        ids = np.array(Image.open(path.with_name(f"{path.stem}_seg.png")))[..., 2]
        yield Photograph(path.stem.removeprefix("ADE_train_000"), read_image(path), ids.astype(np.int64))
    for path in sorted((DATA / "idmaps/coco_panoptic_sample/input_images").glob("*.jpg")):
        colours = np.array(Image.open(path.parents[1] / "panoptic_examples" / f"{path.stem}.png")).astype(np.int64)
        yield Photograph(path.stem.lstrip("0"), read_image(path), colours @ (1, 256, 65536))


def predictions() -> Iterator[tuple[str, RGB, IdMap, IdMap]]:
    """What two published methods predicted for DAVIS sequences, every tenth frame: image, prediction, truth."""
    for folder in sorted((DATA / "davis2017_predictions").glob("*/*")):
        for path in sorted(folder.glob("*.png"))[5::10]:
            truth = next((DATA / "davis2016/Annotations").rglob(f"{folder.name}/{path.name}"))
            image = next((DATA / "davis2016/JPEGImages").rglob(f"{folder.name}/{path.stem}.jpg"))
            found, wanted = np.array(Image.open(path)) > 0, np.array(Image.open(truth).convert("L")) > 127
            yield (
                f"{folder.parent.name}/{folder.name}",
                read_image(image),
                found.astype(np.int64),
                wanted.astype(np.int64),
            )


def main() -> None:
    """Print a table of every photograph and kind of damage, then the predictions."""
    need_data()
    matching: MatchingName = "documented" if "documented" in sys.argv else "optimal"
    settings = Settings(matching=matching)
    generator = ClassicalMaskGenerator()
    print("| map | damage | mIoU | | boundary F | | ids better / worse / all | changed | borne out |")
    print("|---|---|---|---|---|---|---|---|---|")
    totals: dict[str, list[TruthScore]] = {}
    for photograph in photographs():
        masks = [one.region for one in generator.generate(photograph.image)]
        off_px = OFF_SHARE * photograph.image.shape[1]
        spoilt = {name: spoil(photograph.truth, off_px, np.random.default_rng(0)) for name, spoil in KINDS.items()}
        for kind, before in {"none": photograph.truth, **spoilt}.items():
            refined = refine_map(photograph.image, before, masks, settings)
            result = score(photograph.name, len(masks), before, refined)
            assert not result.lost
            judged = compare(photograph.truth, before, refined.id_map)
            totals.setdefault(kind, []).append(judged)
            better, worse = _by_id(photograph.truth, before, refined.id_map)
            counts = f"{better} / {worse} / {result.objects}"
            made = "" if result.accepted_ratio is None else f"{result.accepted_ratio:.2f}"
            print(_row(photograph.name, kind, judged, counts, f"{result.changed:.3f}", made))
    for kind, results in totals.items():
        print(_row("**mean**", kind, _mean(results), "", "", ""))
    by_method: dict[str, list[TruthScore]] = {}
    for name, image, before, truth in predictions():
        masks = [one.region for one in generator.generate(image)]
        refined = refine_map(image, before, masks, settings)
        by_method.setdefault(name, []).append(compare(truth, before, refined.id_map))
    print("\n| prediction | frames | J | | boundary F | |\n|---|---|---|---|---|---|")
    for name, results in by_method.items():
        print(_truth_row(name, str(len(results)), _mean(results)))
    print(_truth_row("**mean**", "", _mean([one for results in by_method.values() for one in results])))


def _by_id(truth: IdMap, before: IdMap, after: IdMap) -> tuple[int, int]:
    better = worse = 0
    for one in np.unique(truth[truth > 0]).tolist():
        wanted = truth == one
        iou = [np.count_nonzero(wanted & (m == one)) / np.count_nonzero(wanted | (m == one)) for m in (before, after)]
        better += int(iou[1] > iou[0] + 1e-3)
        worse += int(iou[1] < iou[0] - 1e-3)
    return better, worse


def _mean(results: list[TruthScore]) -> TruthScore:
    fields = TruthScore.model_fields
    return TruthScore(**{name: float(np.mean([getattr(one, name) for one in results])) for name in fields})


def _truth_row(name: str, kind: str, t: TruthScore) -> str:
    return (
        f"| {name} | {kind} | {t.miou_before:.3f} | {t.miou_after:.3f} "
        f"| {t.boundary_f_before:.3f} | {t.boundary_f_after:.3f} |"
    )


def _row(name: str, kind: str, t: TruthScore, *more: str) -> str:
    return _truth_row(name, kind, t) + "".join(f" {one} |" for one in more)


if __name__ == "__main__":
    main()
