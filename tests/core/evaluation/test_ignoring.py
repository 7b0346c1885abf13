"""What is not judged counts as TrackEval, pycocotools and davis2017-evaluation count it: equal to 4 digits."""

import io
import json
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from core.evaluation.evaluate import Evaluation, How, evaluate
from core.formats.exchange.exporting import export
from core.formats.exchange.model import Ignored, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.registry import read_results
from core.masks import Mask, rle

_WIDTH, _HEIGHT, _FRAMES = 96, 64, 12


def _quiet(what: str, done: int, expected: int) -> None:
    pass


def _evaluate(truth: Path | VideoResults, found: Path | VideoResults, **how: Any) -> Evaluation:
    sides = [read_results(one) if isinstance(one, Path) else [one] for one in (truth, found)]
    return evaluate(sides[0], sides[1], How(**how), _quiet)


def _rectangle(x: float, y: float, width: float, height: float) -> Mask:
    mask = np.zeros((_HEIGHT, _WIDTH), np.bool_)
    mask[max(0, round(y)) : max(0, round(y + height)), max(0, round(x)) : max(0, round(x + width))] = True
    return mask


def _video(frames: Sequence[SeenFrame], name: str = "A") -> VideoResults:
    return VideoResults(name, _WIDTH, _HEIGHT, 25.0, lambda: iter(frames), len(frames))


Boxes = list[tuple[float, float, float, float]]


def _walks(seed: int) -> tuple[list[Boxes], list[Boxes], list[Boxes]]:
    """Boxes frame by frame: judged objects, others of the truth, and results near either, and now and then nowhere."""
    rng = np.random.default_rng(seed)
    starts = rng.uniform((0, 0), (_WIDTH - 20, _HEIGHT - 20), (6, 2))
    speeds = rng.uniform(-1.5, 1.5, (6, 2))
    sizes = rng.uniform(8, 18, (6, 2))
    judged, others, found = [], [], []
    for frame in range(_FRAMES):
        places = np.clip(starts + frame * speeds, 0, (_WIDTH - 20, _HEIGHT - 20))
        boxes = [(*place, *size) for place, size in zip(places.round(1), sizes.round(1), strict=True)]
        judged.append(boxes[:3])
        others.append(boxes[3:])
        noise = rng.normal(0, 2.2, (6, 4)).round(1)
        near = [tuple(np.maximum(np.add(box, off), (0, 0, 3, 3))) for box, off in zip(boxes, noise, strict=True)]
        found.append([box for box in near if rng.random() > 0.15])
    return judged, others, found


def _rows(frames: list[Boxes], more: Callable[[int], str]) -> list[str]:
    return [
        f"{number},{place + 1},{','.join(f'{v:g}' for v in box)},{more(place)}"
        for number, boxes in enumerate(frames, 1)
        for place, box in enumerate(boxes)
    ]


def _trackeval(kind: str, folder: Path, **config: Any) -> dict[str, float]:
    import trackeval
    from trackeval.metrics import CLEAR, HOTA, Identity

    source = getattr(trackeval.datasets, kind)
    options = {"PRINT_CONFIG": False, "SKIP_SPLIT_FOL": True, "TRACKERS_TO_EVAL": ["ours"], "OUTPUT_FOLDER": None}
    options |= {"GT_FOLDER": str(folder / "gt"), "TRACKERS_FOLDER": str(folder / "trackers"), **config}
    dataset = source({**source.get_default_dataset_config(), **options, "SEQ_INFO": {"A": None}})
    data = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("ours", "A"), "pedestrian")
    quiet = {"PRINT_CONFIG": False}
    hota, clear, identity = (metric(quiet).eval_sequence(data) for metric in (HOTA, CLEAR, Identity))
    return {
        "hota": float(np.mean(hota["HOTA"])), "mota": float(clear["MOTA"]), "idf1": float(identity["IDF1"]),
        "switches": int(clear["IDSW"]), "precision": float(clear["CLR_Pr"]),
    }  # fmt: skip


def _ours(evaluation: Evaluation) -> dict[str, float]:
    one = evaluation.identity
    assert one is not None
    return {
        "hota": one.hota, "mota": one.mota, "idf1": one.idf1, "switches": one.switches, "precision": one.precision,
    }  # fmt: skip


def _sequence(folder: Path) -> None:
    for side in ("gt", "found"):
        (folder / side / "A" / "gt").mkdir(parents=True)
        info = f"[Sequence]\nname=A\nimDir=img1\nframeRate=25\nseqLength={_FRAMES}\n"
        size = f"imWidth={_WIDTH}\nimHeight={_HEIGHT}\nimExt=.jpg\n"
        (folder / side / "A" / "seqinfo.ini").write_text(info + size)
    (folder / "trackers" / "ours" / "data").mkdir(parents=True)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("classes", [(7, 8, 12), (2, 3, 9), (7, 1, 4), (6, 8, 10)])
def test_distractors_count_as_in_trackeval(tmp_path: Path, seed: int, classes: tuple[int, ...]) -> None:
    judged, others, found = _walks(seed)
    _sequence(tmp_path)
    rows = _rows(judged, lambda _: "1,1,1")
    for frame, boxes in enumerate(others, 1):
        for place, box in enumerate(boxes):
            rows.append(f"{frame},{place + 4},{','.join(f'{v:g}' for v in box)},0,{classes[place]},1")
    (tmp_path / "gt/A/gt/gt.txt").write_text("\n".join(rows) + "\n")
    results = "\n".join(_rows(found, lambda _: "0.9,-1,-1,-1")) + "\n"
    (tmp_path / "trackers/ours/data/A.txt").write_text(results)
    (tmp_path / "A.txt").write_text(results)
    wanted = _trackeval("MotChallenge2DBox", tmp_path, BENCHMARK="MOT17", DO_PREPROC=True)
    truth, unread = read_results(tmp_path / "gt"), tmp_path / "A.txt"
    from core.formats.exchange.sources import Sources

    ours = evaluate(truth, read_results(unread, sources=Sources(like=tuple(truth), alone=True)), How(), _quiet)
    assert _ours(ours) == pytest.approx(wanted, abs=5e-5)


@pytest.mark.parametrize("seed", range(6))
def test_ignore_regions_count_as_in_trackeval(tmp_path: Path, seed: int) -> None:
    judged, others, found = _walks(seed)
    _sequence(tmp_path)

    def masks(boxes: Boxes) -> list[Mask]:
        taken = np.zeros((_HEIGHT, _WIDTH), np.bool_)
        apart = []
        for box in boxes:
            apart.append(_rectangle(*box) & ~taken)
            taken |= apart[-1]
        return apart

    truth_rows: list[str] = []
    found_rows: list[str] = []
    for frame in range(_FRAMES):
        own = masks(judged[frame])
        region = np.zeros((_HEIGHT, _WIDTH), np.bool_)
        for box in others[frame]:
            region |= _rectangle(*box)
        region &= ~np.logical_or.reduce(own)
        reported = [(2001 + place, 2, mask) for place, mask in enumerate(own)] + [(10_000, 10, region)]
        for rows, listed in (
            (truth_rows, reported),
            (found_rows, [(2001 + place, 2, mask) for place, mask in enumerate(masks(found[frame]))]),
        ):
            for obj_id, number, mask in listed:
                if mask.any():
                    rows.append(f"{frame + 1} {obj_id} {number} {_HEIGHT} {_WIDTH} {rle.encode(mask)['counts']}")
    (tmp_path / "gt/A/gt/gt.txt").write_text("\n".join(truth_rows) + "\n")
    for place in ("found/A/gt/gt.txt", "trackers/ours/data/A.txt"):
        (tmp_path / place).write_text("\n".join(found_rows) + "\n")
    wanted = _trackeval("MOTSChallenge", tmp_path)
    assert _ours(_evaluate(tmp_path / "gt", tmp_path / "found")) == pytest.approx(wanted, abs=5e-5)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_crowds_count_as_in_pycocotools(tmp_path: Path, seed: int, kind: str) -> None:
    judged, others, found = _walks(seed)
    rng = np.random.default_rng(seed + 100)

    def reported(box: tuple[float, ...], frame: int, crowd: int, **more: Any) -> dict[str, Any]:
        x, y, width, height = (float(v) for v in box)
        reported = {"image_id": frame, "category_id": 1, "bbox": [x, y, width, height], "area": width * height}
        mask = rle.encode(_rectangle(*box))
        return {**reported, "iscrowd": crowd, **({"segmentation": mask} if kind == "segm" else {}), **more}

    images = [
        {"id": n, "file_name": f"A/{n:06}.jpg", "width": _WIDTH, "height": _HEIGHT} for n in range(1, _FRAMES + 1)
    ]
    truth = [reported(box, n, 0) for n, boxes in enumerate(judged, 1) for box in boxes]
    truth += [reported(box, n, 1) for n, boxes in enumerate(others, 1) for box in boxes]
    guesses = [reported(box, n, 0, score=round(rng.random(), 3)) for n, boxes in enumerate(found, 1) for box in boxes]
    for name, listed in (("truth", truth), ("found", guesses)):
        numbered = [{"id": number, **one} for number, one in enumerate(listed, 1)]
        content = {"images": images, "annotations": numbered, "categories": [{"id": 1, "name": "person"}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    with redirect_stdout(io.StringIO()):
        sides = [COCO(str(tmp_path / f"{name}.json")) for name in ("truth", "found")]
        judge = COCOeval(*sides, kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    got = _evaluate(tmp_path / "truth.json", tmp_path / "found.json").precision
    assert (got.ap, got.ap50, got.ap75, got.ar100) == pytest.approx(judge.stats[[0, 1, 2, 8]], abs=5e-5)


def _davis_iou(annotation: Mask, segmentation: Mask, void: Mask) -> float:
    """`db_eval_iou` of davis2017-evaluation, written anew from its definition."""
    union = np.count_nonzero((annotation | segmentation) & ~void)
    return np.count_nonzero(annotation & segmentation & ~void) / union if union else 1.0


def _davis_f(annotation: Mask, segmentation: Mask, void: Mask) -> float:
    """`db_eval_boundary` likewise: boundaries of what is not void, dilated by 0.8 % of the diagonal."""

    def boundary(mask: Mask) -> Mask:
        east, south, both = (np.zeros_like(mask) for _ in range(3))
        east[:, :-1], south[:-1], both[:-1, :-1] = mask[:, 1:], mask[1:], mask[1:, 1:]
        edges = mask ^ east | mask ^ south | mask ^ both
        edges[-1], edges[:, -1] = mask[-1] ^ east[-1], mask[:, -1] ^ south[:, -1]
        edges[-1, -1] = False
        return np.asarray(edges, np.bool_)

    radius = int(np.ceil(0.008 * np.hypot(*annotation.shape)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.uint8)
    truth, found = boundary(annotation & ~void), boundary(segmentation & ~void)
    near_truth, near_found = (cv2.dilate(one.astype(np.uint8), disk) > 0 for one in (truth, found))
    if not truth.any() and not found.any():
        return 1.0
    if not truth.any() or not found.any():
        return 0.0
    precision = (found & near_truth).sum() / found.sum()
    recall = (truth & near_found).sum() / truth.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("seed", range(6))
def test_void_pixels_count_as_in_davis(tmp_path: Path, seed: int) -> None:
    judged, others, found = _walks(seed)
    frames, results, wanted = [], [], []
    for frame in range(_FRAMES):
        annotation, segmentation = _rectangle(*judged[frame][0]), _rectangle(*found[frame][0])
        void = _rectangle(*others[frame][0]) | cv2.dilate(annotation.view(np.uint8), np.ones((3, 3))).view(np.bool_)
        void &= ~annotation
        mark = rle.encode(void)
        objects = [SeenObject(1, "a", rle.box_xyxy(packed), rle=packed) for packed in map(rle.encode, [annotation])]
        ignored = (Ignored("void", "object", rle.box_xyxy(mark), mark),) if void.any() else ()
        frames.append(SeenFrame(frame, frame / 25, tuple(objects), ignored))
        other = rle.encode(segmentation)
        results.append(SeenFrame(frame, frame / 25, (SeenObject(1, "a", rle.box_xyxy(other), rle=other),)))
        wanted.append((_davis_iou(annotation, segmentation, void), _davis_f(annotation, segmentation, void)))
    export([_video(frames)], "davis", tmp_path / "truth")  # through palette PNGs, where void is 255
    got = _evaluate(tmp_path / "truth", _video(results), matching="same")
    assert got.j is not None
    assert got.f is not None
    assert (got.j.mean, got.f.mean) == pytest.approx(tuple(np.mean(wanted, axis=0)), abs=5e-5)


def test_the_foreground_is_not_judged_where_the_truth_says_so() -> None:
    thing, crowd = rle.encode(_rectangle(5, 5, 20, 20)), rle.encode(_rectangle(40, 5, 20, 20))
    both = rle.encode(_rectangle(5, 5, 20, 20) | _rectangle(40, 5, 20, 20))
    right = (SeenObject(1, "a", (5, 5, 25, 25), rle=thing),)
    ignored = (Ignored("region", "a", (40, 5, 60, 25), crowd),)
    truth = [SeenFrame(n, n / 25, right, ignored) for n in range(3)]
    found = [SeenFrame(n, n / 25, (SeenObject(1, "a", (5, 5, 60, 25), rle=both),)) for n in range(3)]
    got = _evaluate(_video(truth), _video(found), foreground=True)
    assert got.j is not None
    assert got.j.mean == 1.0
