"""How good the tiny model is, on clips it never saw: tracking from the first frame's box, presence, predicted IoU."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sam2.modeling.sam2_base import SAM2Base
from scipy.stats import rankdata, spearmanr

from benchmarks.tiny_sam2.scenes import random_clip
from core.evaluation.clips import SCENES, render_scene
from core.evaluation.davis import JF, mean_jf, object_jf, region_similarity
from core.masks import Mask
from core.masks.boxes import mask_box
from core.models.sam2.predictor import StreamingPredictor, Window
from core.prompts import Prompt
from core.video.frames import RGB

HELD_OUT_SEED = 1_000_000
_FRAMES = 20
_SIDE = 256
LEAST_PIXELS = 24


@dataclass(frozen=True, eq=False)
class Tracked:
    """One object of one clip, from its box on the first frame.

    Attributes:
        found: its masks [H, W], frame by frame.
        truth: the true ones.
        presence: logits that it is there.
        predicted_iou: presence times predicted IoU.
    """

    found: Sequence[Mask]
    truth: Sequence[Mask]
    presence: Sequence[float]
    predicted_iou: Sequence[float]


@dataclass(frozen=True)
class Quality:
    """Figures of held-out clips.

    Attributes:
        first: J of the first frame's mask, from the box.
        jf: J and F over all frames.
        presence_auroc: of the presence logit: object in sight or not.
        presence_rate: share of frames on which presence (over 0) is right.
        iou_correlation: rank correlation of the score and the true IoU, where the object is in sight.
        objects: judged.
    """

    first: float
    jf: JF
    presence_auroc: float
    presence_rate: float
    iou_correlation: float
    objects: int

    def lines(self) -> str:
        """For people."""
        return (
            f"{self.objects} objects: J of the first frame {self.first:.3f}; J {self.jf.j:.3f}, F {self.jf.f:.3f}, "
            f"J&F {self.jf.jf:.3f}; presence AUROC {self.presence_auroc:.3f}, right on {self.presence_rate:.1%}; "
            f"score and true IoU: rank correlation {self.iou_correlation:.3f}"
        )


def judge_held_out(model: SAM2Base, clips: int = 24) -> Quality:
    """Quality on random clips of 20 frames, 256 x 256, twice as fast; training does not use their seeds."""
    return _quality([one for seed in range(clips) for one in _random(model, HELD_OUT_SEED + seed)])


def judge_demo(model: SAM2Base) -> Quality:
    """Quality on the demo's clips, which are longer, wider, and of another kind than those of the training."""
    tracked = []
    for seed, scene in enumerate(SCENES):
        rendered = list(render_scene(scene, seed))
        images = [image for image, _ in rendered]
        for name in rendered[0][1]:
            tracked += track(model, images, [masks[name] for _, masks in rendered])
    return _quality(tracked)


def _random(model: SAM2Base, seed: int) -> Iterator[Tracked]:
    clip = random_clip(np.random.default_rng(seed), _FRAMES, _SIDE, repeat=2)
    for row in range(clip.masks.shape[1]):
        yield from track(model, list(clip.images), list(clip.masks[:, row]))


def track(model: SAM2Base, images: Sequence[RGB], truth: Sequence[Mask]) -> list[Tracked]:
    """Track an object from its box on the first frame; nothing where it is not in sight there."""
    box = mask_box(truth[0]) if np.count_nonzero(truth[0]) >= LEAST_PIXELS else None
    if box is None:
        return []
    predictor = StreamingPredictor(model, Window(*truth[0].shape))
    found, presence, scores = [], [], []
    for index, image in enumerate(images):
        masks = predictor.advance(image)
        if index == 0:
            masks = predictor.add(1, Prompt(box=box))
        found.append((predictor.video_logits(masks.logits)[0, 0] > 0).numpy())
        memory = predictor.objects[1]
        latest = memory.recent.get(index) or memory.conditioning[index]
        assert latest.presence is not None
        presence.append(float(latest.presence))
        scores.append(float(masks.scores[0]))
    return [Tracked(found, truth, presence, scores)]


def _quality(tracked: Sequence[Tracked]) -> Quality:
    there = np.array([one.truth[i].any() for one in tracked for i in range(1, len(one.truth))])
    presence = np.array([one.presence[i] for one in tracked for i in range(1, len(one.truth))])
    scores = np.array([one.predicted_iou[i] for one in tracked for i in range(1, len(one.truth))])
    ious = np.array(
        [region_similarity(one.found[i], one.truth[i]) for one in tracked for i in range(1, len(one.truth))]
    )
    return Quality(
        first=float(np.mean([region_similarity(one.found[0], one.truth[0]) for one in tracked])),
        jf=mean_jf([object_jf(one.found, one.truth) for one in tracked]),
        presence_auroc=auroc(presence, there),
        presence_rate=float(((presence > 0) == there).mean()),
        iou_correlation=float(spearmanr(scores[there], ious[there]).statistic),
        objects=len(tracked),
    )


def auroc(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """Probability that a positive scores higher than a negative (Mann and Whitney, 1947); NaN without both."""
    ranks = rankdata(scores)
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return float("nan")
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))
