"""Readers of other people that are installed anyway accept the exports: counts and masks agree."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neutral import HEIGHT, WIDTH, video
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from core.formats.exchange.exporting import export
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.formats.exchange.selecting import Choice
from core.masks import rle

_FRAMES = 6


@pytest.fixture
def results() -> VideoResults:
    """A person and a car that move apart; the car is away on the third frame."""
    frames = []
    for index in range(_FRAMES):
        objects = []
        for obj_id, label, x in ((1, "person", 2 + index), (2, "car", 24 - index)):
            mask = np.zeros((HEIGHT, WIDTH), np.bool_)
            mask[4 * obj_id : 4 * obj_id + 8, x : x + 5] = True
            mask[4 * obj_id + 3, x + 2] = False
            packed = rle.encode(mask)
            if (obj_id, index) != (2, 2):
                objects.append(SeenObject(obj_id, label, rle.box_xyxy(packed), 0.9, packed))
        frames.append(SeenFrame(index, index / 25, tuple(objects)))
    made = video(frames)
    return VideoResults(made.name, WIDTH, HEIGHT, 25.0, made.read, _FRAMES)


def _sightings(results: VideoResults) -> int:
    return sum(len(frame.objects) for frame in results.read())


def test_pycocotools_decodes_the_same_masks(results: VideoResults, tmp_path: Path) -> None:
    export([results], "coco", tmp_path / "coco")
    coco = COCO(str(tmp_path / "coco" / "annotations" / "instances_train.json"))
    wanted = [one for frame in results.read() for one in frame.objects]
    assert len(coco.anns) == len(wanted)
    assert {one["name"] for one in coco.loadCats(coco.getCatIds())} == {"car", "person"}
    for annotation, one in zip(coco.anns.values(), wanted, strict=True):
        assert one.rle is not None
        assert (coco.annToMask(annotation).astype(bool) == rle.decode(one.rle)).all()
        assert annotation["area"] == rle.area(one.rle)


def _dataset(kind: str, **config: Any) -> Any:
    import trackeval

    defaults = getattr(trackeval.datasets, kind).get_default_dataset_config()
    quiet = {"PRINT_CONFIG": False, "SKIP_SPLIT_FOL": True, "TRACKERS_TO_EVAL": ["ours"], "OUTPUT_FOLDER": None}
    return getattr(trackeval.datasets, kind)({**defaults, **quiet, **config})


def _perfect(dataset: Any, sequence: str, kind: str) -> dict[str, Any]:
    """What trackeval says of results that are the truth."""
    from trackeval.metrics import CLEAR, HOTA

    data = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("ours", sequence), kind)
    quiet = {"PRINT_CONFIG": False}
    hota = HOTA(quiet).eval_sequence(data)
    return {"hota": float(np.mean(hota["HOTA"])), **CLEAR(quiet).eval_sequence(data), "dets": data["num_gt_dets"]}


def test_trackeval_reads_mot_folders(results: VideoResults, tmp_path: Path) -> None:
    output = tmp_path / "mot"
    export([results], "mot", output, choice=Choice({"person": "pedestrian", "car": ""}))
    trackers = tmp_path / "trackers" / "ours" / "data"
    trackers.mkdir(parents=True)
    (trackers / "walk.txt").write_bytes((output / "results" / "train" / "walk.txt").read_bytes())
    dataset = _dataset(
        "MotChallenge2DBox", GT_FOLDER=str(output / "train"), TRACKERS_FOLDER=str(tmp_path / "trackers"),
        SEQ_INFO={"walk": None}, BENCHMARK="MOT15", DO_PREPROC=False,
    )  # fmt: skip
    reported = _perfect(dataset, "walk", "pedestrian")
    assert (reported["dets"], reported["hota"], reported["IDSW"]) == (_FRAMES, pytest.approx(1.0), 0)


def test_trackeval_reads_mots_folders(results: VideoResults, tmp_path: Path) -> None:
    output = tmp_path / "mots"
    export([results], "mots", output, choice=Choice({"person": "pedestrian", "car": ""}))
    trackers = tmp_path / "trackers" / "ours" / "data"
    trackers.mkdir(parents=True)
    (trackers / "walk.txt").write_bytes((output / "train" / "walk" / "gt" / "gt.txt").read_bytes())
    dataset = _dataset(
        "MOTSChallenge", GT_FOLDER=str(output / "train"), TRACKERS_FOLDER=str(tmp_path / "trackers"),
        SEQ_INFO={"walk": None},
    )  # fmt: skip
    reported = _perfect(dataset, "walk", "pedestrian")
    assert (reported["dets"], reported["hota"]) == (_FRAMES, pytest.approx(1.0))


def test_trackeval_reads_davis_folders(results: VideoResults, tmp_path: Path) -> None:
    output = tmp_path / "davis"
    export([results], "davis", output)
    masks = output / "Annotations" / "480p"
    trackers = tmp_path / "trackers" / "ours" / "data"
    trackers.parent.mkdir(parents=True)
    trackers.symlink_to(masks)
    dataset = _dataset(
        "DAVIS", GT_FOLDER=str(masks), TRACKERS_FOLDER=str(tmp_path / "trackers"), SEQS_TO_EVAL=["walk"],
        SEQMAP_FILE=str(output / "ImageSets" / "2017" / "train.txt"), MAX_DETECTIONS=0,
    )  # fmt: skip
    reported = _perfect(dataset, "walk", "general")
    assert (reported["dets"], reported["hota"]) == (_sightings(results), pytest.approx(1.0))


def test_trackeval_reads_youtube_vis_files(results: VideoResults, tmp_path: Path) -> None:
    truth = tmp_path / "gt" / "youtube_vis_train"
    export([results], "coco-video", truth)
    trackers = tmp_path / "trackers" / "youtube_vis_train" / "ours" / "data"
    trackers.mkdir(parents=True)
    annotations = json.loads((truth / "train.json").read_text())["annotations"]
    for one in annotations:  # a tracker hands masks in packed
        one["segmentations"] = [
            None if mask is None else {**mask, "counts": coco_mask.frPyObjects(mask, HEIGHT, WIDTH)["counts"].decode()}
            for mask in one["segmentations"]
        ]
    (trackers / "results.json").write_text(json.dumps(annotations))
    dataset = _dataset(
        "YouTubeVIS", GT_FOLDER=f"{tmp_path}/gt/", TRACKERS_FOLDER=f"{tmp_path}/trackers/", SPLIT_TO_EVAL="train"
    )
    reported = [_perfect(dataset, sequence, kind) for sequence in dataset.seq_list for kind in ("person", "car")]
    assert [one["hota"] for one in reported] == [pytest.approx(1.0)] * 2
    assert sum(one["dets"] for one in reported) == _sightings(results)


def test_reruns_own_reader_finds_every_frame(results: VideoResults, tmp_path: Path) -> None:
    from rerun.chunk import RrdReader

    export([results], "rerun", tmp_path / "rerun")
    rows: dict[str, int] = {}
    for chunk in RrdReader(tmp_path / "rerun" / "train" / "walk.rrd").stream():
        rows[chunk.entity_path] = rows.get(chunk.entity_path, 0) + chunk.num_rows
    assert rows["/video/boxes"] == rows["/video/masks"] == rows["/video/objects"] == _FRAMES
    assert rows["/scores/1"] >= _FRAMES
