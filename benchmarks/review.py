"""Does the review list find real errors? Its ranking against the truth: `python -m benchmarks.review`.

An object on a frame is bad where its IoU with the truth is below 0.5. AUROC: how often a bad one is more suspicious
than a good one. Found at 10 %: share of the bad ones among the tenth that is most suspicious; chance finds a tenth.
"""

import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from benchmarks.common import need_data
from benchmarks.davis import CHOSEN_ON, REPORTED
from benchmarks.degrade import KINDS
from benchmarks.long_davis import annotate, true_masks
from benchmarks.refining import OFF_SHARE, photographs
from core.evaluation.judging import foreground_of
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.formats.exchange.registry import read_results
from core.formats.exchange.sources import Sources
from core.formats.exchange.tracked_folder import tracked_video
from core.masks import rle
from core.masks.boxes import iou_matrix, mask_box
from core.models.classical.generator import ClassicalMaskGenerator
from core.quality.review import doubts
from core.quality.signs import SignTracker, look_through
from core.refining.refine import Settings, refine_map
from core.tracking.video_item import track_video

_BAD = 0.5
_LOOKED_AT = 0.1
Judge = Callable[[SeenObject, int], float]
Ranked = list[tuple[float, bool]]
"""Suspicion, and whether it is bad."""


def auroc(ranked: Sequence[tuple[float, bool]]) -> float:
    """Area under the ROC curve by ranks (Mann–Whitney); nan where all are good, or all bad."""
    bad = np.array([one for _, one in ranked])
    if bad.all() or not bad.any():
        return float("nan")
    ranks = rankdata([score for score, _ in ranked])
    return float((ranks[bad].sum() - bad.sum() * (bad.sum() + 1) / 2) / (bad.sum() * (~bad).sum()))


def found_in_the_first(ranked: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """Share of the bad ones among the most suspicious tenth, and what a perfect ranking would have there."""
    order = sorted(ranked, key=lambda one: -one[0])
    looked_at = max(1, round(_LOOKED_AT * len(order)))
    bad = sum(one for _, one in ranked)
    return sum(one for _, one in order[:looked_at]) / max(1, bad), min(1.0, looked_at / max(1, bad))


def _rank(video: VideoResults, source: Path | None, iou: Judge) -> Ranked:
    """`source`: the pictures; None: judged by shapes and scores alone."""
    objects = {(f.source_frame, o.obj_id): o for f in video.read() for o in f.objects}
    ranked = []
    for doubt in doubts(look_through(video, None if source is None else Sources(source, alone=True))):
        one = doubt.signs
        bad = iou(objects[one.source_frame, one.obj_id], one.source_frame) < _BAD
        ranked.append((doubt.suspicion, bad))
    return ranked


def _against_davis(truth: Sequence[rle.RLE]) -> Judge:
    return lambda one, frame: 0.0 if one.rle is None else float(rle.iou_matrix([truth[frame]], [one.rle])[0, 0])


def _davis(root: Path) -> Iterator[tuple[Path, list[rle.RLE]]]:
    for images in sorted((root / "JPEGImages" / "480p").iterdir()):
        yield images, [rle.encode(mask) for mask in true_masks(root / "Annotations" / "480p" / images.name)]


def tracked(root: Path, names: Collection[str]) -> Ranked:
    """DAVIS sequences, tracked by `track_videos` from the first frame's box."""
    ranked: Ranked = []
    for images, truth in ((images, truth) for images, truth in _davis(root) if images.name in names):
        request = {
            "video": str(images), "prompts": [{"obj_id": 1, "box": mask_box(rle.decode(truth[0]))}],
            "segmenter": {"backend": "classical"}, "detection_frequency": 1, "max_frames": 60,
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            track_video(request, Path(folder), lambda done, expected: None)
            ranked += _rank(tracked_video(Path(folder), images.name), images, _against_davis(truth))
    return ranked


def annotated(root: Path, pictures: bool) -> Ranked:
    """DAVIS, annotated by `annotate_long_video` from the first frame's mask."""
    masks = {images.name: true_masks(root / "Annotations" / "480p" / images.name) for images, _ in _davis(root)}
    ranked: Ranked = []
    with tempfile.TemporaryDirectory() as temporary:
        annotate(Path(temporary), root / "JPEGImages" / "480p", masks, {name: [0] for name in masks})
        for images, truth in _davis(root):
            (video,) = read_results(Path(temporary) / "out" / f"dense_annotations_{images.name}.jsonl")
            ranked += _rank(video, images if pictures else None, _against_davis(truth))
    return ranked


def predicted(root: Path, method: str) -> Ranked:
    """What a published method predicted for DAVIS, the foreground as one object."""
    truth = {images.name: (images, masks) for images, masks in _davis(root)}
    ranked: Ranked = []
    for video in read_results(root.parent / "davis2017_predictions" / method, "davis"):
        images, masks = truth[video.name]
        ranked += _rank(foreground_of(video), images, _against_davis(masks))
    return ranked


def people(folder: Path) -> Ranked:
    """People in the MOT15 sequence, found and tracked by `track_videos`; judged by the best box of the truth."""
    request = {
        "video": str(folder / "video.mp4"), "text_prompt": "person", "detector": {"backend": "classical"},
        "segmenter": {"backend": "classical"}, "detection_frequency": 3, "max_frames": 60,
    }  # fmt: skip
    (truth,) = read_results(folder / "gt.txt", "mot", Sources(folder / "video.mp4", alone=True))
    boxes = {frame.source_frame: [one.box_xyxy for one in frame.objects] for frame in truth.read()}
    with tempfile.TemporaryDirectory() as temporary:
        track_video(request, Path(temporary), lambda done, expected: None)
        video = tracked_video(Path(temporary), "video")
        return _rank(
            video, folder / "video.mp4",
            lambda one, frame: float(iou_matrix([one.box_xyxy], boxes[frame]).max(initial=0.0)),
        )  # fmt: skip


def refined() -> Ranked:
    """Id maps of photographs, spoilt in every way at once, refined by `refine_masks`: every id by itself."""
    ranked: Ranked = []
    generator = ClassicalMaskGenerator()
    for photo in photographs():
        masks = [one.region for one in generator.generate(photo.image)]
        spoilt = KINDS["everything"](photo.truth, OFF_SHARE * photo.image.shape[1], np.random.default_rng(0))
        ids = refine_map(photo.image, spoilt, masks, Settings()).id_map
        objects = []
        for one in np.unique(ids[ids > 0]).tolist():
            mask = rle.encode(np.asarray(ids == one, np.bool_))
            objects.append(SeenObject(one, "object", rle.box_xyxy(mask), rle=mask))
        for signs in SignTracker().of(SeenFrame(0, 0.0, tuple(objects)), photo.image):
            found, wanted = ids == signs.obj_id, photo.truth == signs.obj_id
            ranked.append((signs.mean, bool((found & wanted).sum() < _BAD * (found | wanted).sum())))
    return ranked


def main() -> None:
    """Print a row for each kind of results."""
    data = need_data()
    root = data / "davis2016"
    kinds: dict[str, Callable[[], Ranked]] = {
        "track_videos, DAVIS, chosen on": lambda: tracked(root, CHOSEN_ON),
        "track_videos, DAVIS, **reported**": lambda: tracked(root, REPORTED),
        "annotate_long_video, DAVIS": lambda: annotated(root, False),
        "annotate_long_video, maskflow review, DAVIS": lambda: annotated(root, True),
        "track_videos, people in MOT15": lambda: people(data / "mot15_adl_rundle_6"),
        "published: OSVOS, DAVIS": lambda: predicted(root, "osvos"),
        "published: RVOS, DAVIS": lambda: predicted(root, "rvos"),
        "refine_masks, spoilt photographs": refined,
    }
    print("| results | looked at | bad | AUROC | found at 10 % | at best |\n|---|---|---|---|---|---|")
    every: Ranked = []
    for name, make in kinds.items():
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        ranked = make()
        every += ranked if "DAVIS" in name else []
        print(_row(name, ranked), flush=True)
    print(_row("all on DAVIS", every))


def _row(name: str, ranked: Ranked) -> str:
    found, best = found_in_the_first(ranked)
    bad = sum(one for _, one in ranked) / max(1, len(ranked))
    return f"| {name} | {len(ranked)} | {bad:.0%} | {auroc(ranked):.3f} | {found:.2f} | {best:.2f} |"


if __name__ == "__main__":
    main()
