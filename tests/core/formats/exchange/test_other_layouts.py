"""Files as other people lay them out: what each means, and that one unusable thing costs itself alone."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from neutral import HEIGHT, WIDTH, video
from PIL import Image

from core.errors import MaskflowError
from core.formats.exchange.exporting import export
from core.formats.exchange.model import Ignored, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.registry import detect, read_results
from core.formats.exchange.sources import MissingFacts, Sources
from core.masks import Mask, rle


def _square(x: int, y: int, side: int = 6) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[y : y + side, x : x + side] = True
    return mask


def _seen(obj_id: int, mask: Mask, label: str = "ball") -> SeenObject:
    packed = rle.encode(mask)
    return SeenObject(obj_id, label, rle.box_xyxy(packed), rle=packed)


def _picture(path: Path, width: int = WIDTH, height: int = HEIGHT, grey: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (grey,) * 3).save(path, format="JPEG")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _objects(videos: Sequence[VideoResults]) -> list[tuple[int, SeenObject]]:
    return [(frame.source_frame, one) for video in videos for frame in video.read() for one in frame.objects]


# ---- what is not judged


@pytest.mark.parametrize(
    ("to", "rules"),
    [
        ("coco", ["crowd", "region", "distractor", "unjudged", "void"]),
        ("coco-video", ["crowd", "region", "distractor", "unjudged", "void"]),
        ("rerun", ["crowd", "region", "distractor", "unjudged", "void"]),
        ("mots", ["region"]),
        ("davis", ["void"]),
    ],
)
def test_what_is_not_judged_comes_back(tmp_path: Path, to: str, rules: list[Any]) -> None:
    crowd = _square(20, 10)
    packed = rle.encode(crowd)
    for rule in rules:
        marks = (Ignored(rule, "ball", rle.box_xyxy(packed), packed),)
        frames = [SeenFrame(n, n / 25, (_seen(1, _square(2 + n, 3)),), marks if n else ()) for n in range(3)]
        export([video(frames)], to, tmp_path / f"{to}-{rule}")
        (back,) = read_results(tmp_path / f"{to}-{rule}")
        read = list(back.read())[:3]
        assert [[one.rule for one in frame.ignored] for frame in read] == [[], [rule], [rule]]
        assert read[1].ignored[0].rle == packed
        assert [len(frame.objects) for frame in read] == [1, 1, 1]


def test_unjudged_rows_of_mot_come_back(tmp_path: Path) -> None:
    box = (9, 9, 15, 20)
    marks = (Ignored("distractor", "reflection", box, obj_id=7), Ignored("unjudged", "car", box, obj_id=7))
    export([video([SeenFrame(0, 0.0, (SeenObject(1, "person", (2, 3, 8, 9)),), marks)])], "mot", tmp_path / "out")
    (frame, *_) = read_results(tmp_path / "out")[0].read()
    assert {(one.rule, one.label) for one in frame.ignored} == {("distractor", "reflection"), ("unjudged", "car")}
    assert len(frame.objects) == 1


# ---- COCO


def _coco(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> str:
    told = [{"width": WIDTH, "height": HEIGHT, **one} for one in images]
    labelled = [{"category_id": 1, "bbox": [1, 2, 3, 4], **one} for one in annotations]
    return json.dumps({"images": told, "annotations": labelled, "categories": [{"id": 1, "name": "ball"}]})


def test_one_bad_annotation_of_coco_is_noted_and_the_rest_is_read(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "walk/000001.jpg"}]
    bad: list[dict[str, Any]] = [
        {"id": 1, "image_id": 1, "segmentation": [[1, 2, 11, 2, 11, 14], [3, 3, 4, 4]]},
        {"id": 2, "image_id": 1, "segmentation": [[]]},
        {"id": 3, "image_id": 1, "bbox": [1, 2, -3, 4]},
        {"id": 4, "image_id": "1"},
        {"id": 5, "image_id": 1, "category_id": 9},
        {"id": 6, "image_id": 1, "segmentation": []},
    ]
    _write(tmp_path / "a.json", _coco(images, bad))
    sources = Sources()
    assert len(_objects(read_results(tmp_path / "a.json", sources=sources))) == 3
    notes = [note for note in sources.notes if ", annotation " in note]
    assert [next(n for n in range(1, 7) if f"annotation {n}" in note) for note in notes] == [1, 2, 3, 4, 5]
    assert "fewer than three corners" in notes[0]
    assert "it is text" in notes[3]


def test_names_of_images_tell_video_and_frame(tmp_path: Path) -> None:
    names = ["P01/frame_0000000005.jpg", "P01/frame_0000000010.jpg", "b/2.jpg", "b/0.jpg"]
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    _write(tmp_path / "a.json", _coco(images, [{"id": n, "image_id": n, "track_id": 1} for n in range(4)]))
    found = read_results(tmp_path / "a.json")
    assert [(one.name, [f.source_frame for f in one.read()]) for one in found] == [("P01", [5, 10]), ("b", [0, 2])]


def test_pictures_of_a_folder_are_matched_by_name(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        _picture(tmp_path / "videos" / "walk" / f"{number:06}.jpg")
    images = [{"id": n, "file_name": f"walk/{n:06}.jpg"} for n in (4, 2)]
    _write(tmp_path / "a.json", _coco(images, [{"id": n, "image_id": n, "track_id": n} for n in (4, 2)]))
    found = read_results(tmp_path / "a.json", sources=Sources(tmp_path / "videos"))
    assert sorted((frame, one.obj_id) for frame, one in _objects(found)) == [(1, 2), (3, 4)]


def test_cvats_coco_keeps_identity_in_attributes(tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"frame_{n:06}.jpg"} for n in (0, 1)]
    annotations = [{"id": n, "image_id": n, "attributes": {"track_id": 8, "occluded": False}} for n in (0, 1)]
    _write(tmp_path / "a.json", _coco(images, annotations))
    (found,) = read_results(tmp_path / "a.json")
    assert found.tracked
    assert {one.obj_id for _, one in _objects([found])} == {8}


def test_a_missing_size_is_that_of_the_picture(tmp_path: Path) -> None:
    _picture(tmp_path / "images" / "a_1.jpg", 50, 40)
    content = json.loads(_coco([{"id": 1, "file_name": "a_1.jpg"}], [{"id": 1, "image_id": 1}]))
    del content["images"][0]["width"]
    _write(tmp_path / "a.json", json.dumps(content))
    assert read_results(tmp_path / "a.json")[0].width == 50
    (tmp_path / "images" / "a_1.jpg").unlink()
    with pytest.raises(MaskflowError, match=r"no image 1|nothing tells its size"):
        read_results(tmp_path / "a.json")


def test_lists_of_another_length_cost_their_track(tmp_path: Path) -> None:
    box = [1, 2, 3, 4]
    content = {
        "videos": [{"id": 1, "width": WIDTH, "height": HEIGHT, "file_names": ["a/0.jpg", "a/5.jpg"]}],
        "annotations": [
            {"id": 1, "video_id": 1, "category_id": 1, "bboxes": [box]},
            {"id": 2, "video_id": 1, "category_id": 1, "bboxes": [None, box]},
        ],
        "categories": [{"id": 1, "name": "ball"}],
    }
    _write(tmp_path / "a.json", json.dumps(content))
    sources = Sources()
    assert [(frame, one.obj_id) for frame, one in _objects(read_results(tmp_path / "a.json", sources=sources))] == [
        (5, 2)
    ]
    assert "annotation 1: left out: 1 bboxes for the 2 file_names of video 1" in next(iter(sources.notes))


# ---- YOLO

_ABOUT = "names: {0: person, 1: dog}\ntrain: images/train\nval: images/train\n"


def _yolo(folder: Path, rows: dict[str, str], about: str = _ABOUT, size: tuple[int, int] = (100, 50)) -> Path:
    _write(folder / "data.yaml", about)
    for name, text in rows.items():
        _write(folder / "labels" / "train" / f"{name}.txt", text)
        _picture(folder / "images" / "train" / f"{name}.jpg", *size)
    return folder


_CORNERS = "0.1 0.2 0.5 0.2 0.5 0.8"


@pytest.mark.parametrize(
    ("rows", "ids", "scores", "masks"),
    [
        (["0 0.5 0.5 0.2 0.4", "1 0.5 0.5 0.2 0.4"], False, False, False),
        (["0 0.5 0.5 0.2 0.4 0.91", "1 0.5 0.5 0.2 0.4 0.5"], False, True, False),
        (["0 0.5 0.5 0.2 0.4 3", "1 0.5 0.5 0.2 0.4 4"], True, False, False),
        (["0 0.5 0.5 0.2 0.4 0.91 3", "1 0.5 0.5 0.2 0.4 1 4"], True, True, False),
        ([f"0 {_CORNERS}", f"1 {_CORNERS} 0.1 0.8"], False, False, True),
        ([f"0 {_CORNERS} 0.7", f"1 {_CORNERS} 0.1 0.8 0.6"], False, True, True),
        ([f"0 {_CORNERS} 0.7 5", f"1 {_CORNERS} 0.1 0.8 0.6 6"], True, True, True),
        ([f"0 {_CORNERS} 5", f"1 {_CORNERS} 0.1 0.8 6"], True, False, True),
    ],
)
def test_rows_of_yolo_are_what_the_whole_data_set_says(
    tmp_path: Path, rows: list[str], ids: bool, scores: bool, masks: bool
) -> None:
    _yolo(tmp_path, {f"walk_{n}": "\n".join(rows) for n in (1, 2)})
    (found,) = read_results(tmp_path)
    seen = _objects([found])
    assert found.tracked is ids
    assert [frame for frame, _ in seen] == [0, 0, 1, 1]
    assert all((one.score is not None) is scores and (one.rle is not None) is masks for _, one in seen)
    if ids:
        assert {one.obj_id for _, one in seen} == {int(row.split()[-1]) for row in rows}
    if not masks:
        assert seen[0][1].box_xyxy == pytest.approx((40, 15, 60, 35))


@pytest.mark.parametrize("tail", ["", " 0.8"])
def test_poses_are_their_boxes(tmp_path: Path, tail: str) -> None:
    about = f"{_ABOUT}kpt_shape: [2, 3]\n"
    _yolo(tmp_path, {"a_1": f"0 0.5 0.5 0.2 0.4 0.45 0.4 2 0.55 0.4 1{tail}"}, about)
    (seen,) = _objects(read_results(tmp_path))
    assert seen[1].box_xyxy == pytest.approx((40, 15, 60, 35))
    assert seen[1].score == (0.8 if tail else None)
    assert seen[1].rle is None


def test_each_picture_of_yolo_has_its_own_size(tmp_path: Path) -> None:
    _yolo(tmp_path, {"IMG_1": "0 0.5 0.5 0.2 0.4"})
    _write(tmp_path / "labels/train/IMG_2.txt", "0 0.5 0.5 0.2 0.4")
    _picture(tmp_path / "images/train/IMG_2.JPG", 200, 50)
    boxes = {one.width: one_box for one in read_results(tmp_path) for _, one_box in _objects([one])}
    assert boxes[200].box_xyxy == pytest.approx((80, 15, 120, 35))
    assert boxes[100].box_xyxy == pytest.approx((40, 15, 60, 35))


@pytest.mark.parametrize("layout", ["roboflow", "path", "list", "classes.txt", "dataset.yaml"])
def test_where_yolo_data_sets_are(tmp_path: Path, layout: str) -> None:
    row, names = "1 0.5 0.5 0.2 0.4", "names: [cat, dog]\n"
    if layout == "roboflow":
        _write(tmp_path / "data.yaml", f"{names}train: ../train/images\nval: ../valid/images\n")
        places = ["train/labels", "valid/labels"]
    elif layout == "path":
        _write(tmp_path / "data.yaml", f"{names}path: sets\ntrain: images/a\nval: [images/b]\n")
        places = ["sets/labels/a", "sets/labels/b"]
    elif layout == "list":
        _write(tmp_path / "data.yaml", f"{names}train: train.txt\n")
        _write(tmp_path / "train.txt", "./images/x_0.jpg\n./images/x_1.jpg\n")
        places = ["labels", "labels"]
    else:
        places = ["labels/train", "labels/train"]
        if layout == "classes.txt":
            _write(tmp_path / "labels/train/classes.txt", "cat\ndog\n")
        else:
            _write(tmp_path / "dataset.yaml", names)
    for number, place in enumerate(places):
        _write(tmp_path / place / f"x_{number}.txt", row)
        _picture(tmp_path / place.replace("labels", "images") / f"x_{number}.jpg", 100, 50)
    assert detect(tmp_path) == "yolo"
    assert [one.label for _, one in _objects(read_results(tmp_path))] == ["dog", "dog"]


def test_nothing_outside_a_yolo_data_set_is_read(tmp_path: Path) -> None:
    _write(tmp_path / "secret/labels/a_1.txt", "0 0.5 0.5 0.2 0.4")
    _yolo(tmp_path / "set", {"a_1": "0 0.5 0.5 0.2 0.4"}, f"names: [cat]\ntrain: {tmp_path / 'secret/images'}\n")
    assert len(_objects(read_results(tmp_path / "set"))) == 1


def test_a_bad_row_and_a_missing_picture_cost_themselves(tmp_path: Path) -> None:
    _yolo(tmp_path, {"a_1": "0 0.5 0.5 0.2 0.4\n7 0.5 0.5 0.1 0.1\n0 0.5 x 0.1 0.1", "a_2": "0 0.5 0.5 0.2 0.4"})
    (tmp_path / "images/train/a_2.jpg").unlink()
    sources = Sources()
    assert len(_objects(read_results(tmp_path, sources=sources))) == 1
    assert [part for note in sources.notes for part in ("a_2.txt", "line 2", "line 3") if part in note] == [
        "a_2.txt", "line 2", "line 3",
    ]  # fmt: skip


def test_boxes_that_leave_the_picture_are_cut_for_yolo(tmp_path: Path) -> None:
    boxes = [(-5, 3, 8, 9), (20, 10, 60, 90), (40, 3, 50, 9)]
    frames = [SeenFrame(0, 0.0, tuple(SeenObject(n, "ball", box) for n, box in enumerate(boxes, 1)))]
    export([video(frames)], "yolo", tmp_path / "out")
    rows = next((tmp_path / "out").glob("labels/**/*.txt")).read_text().splitlines()
    assert len(rows) == 2, "the third is not in the picture"
    for row in rows:
        x, y, width, height = map(float, row.split()[1:])
        assert 0 <= x - width / 2 <= x + width / 2 <= 1
        assert 0 <= y - height / 2 <= y + height / 2 <= 1


# ---- CVAT

_META = (
    "<meta><{0}><size>5</size><mode>{1}</mode><start_frame>0</start_frame><stop_frame>4</stop_frame>{2}</{0}>{3}</meta>"
)
_SIZE = f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size>"
_BOX = '<box frame="{}" outside="0" keyframe="1" xtl="2" ytl="3" xbr="8" ybr="9"/>'
_MASK = '<mask frame="{}" outside="0" keyframe="1" rle="0, 4" left="{}" top="1" width="2" height="2"/>'


_SOURCE = "<source>walk.mp4</source>"


@pytest.mark.parametrize(
    "meta",
    [_META.format("task", "interpolation", _SIZE, _SOURCE), _META.format("job", "interpolation", "", _SIZE + _SOURCE)],
)
def test_cvat_has_size_and_source_in_several_places(tmp_path: Path, meta: str) -> None:
    _write(
        tmp_path / "annotations.xml",
        f'<annotations>{meta}<track id="0" label="x">{_BOX.format(0)}</track></annotations>',
    )
    (found,) = read_results(tmp_path / "annotations.xml")
    assert (found.name, found.width, found.path) == ("walk", WIDTH, "walk.mp4")
    assert [len(frame.objects) for frame in found.read()] == [1] * 5


def test_groups_of_cvat_are_no_identity_but_in_our_own_files(tmp_path: Path) -> None:
    tracks = "".join(
        f'<track id="{n}" label="x" group_id="1">{_MASK.format(frame, 1 + 9 * n)}</track>'
        for n, frame in enumerate((0, 0, 2))
    )
    _write(tmp_path / "a.xml", f"<annotations>{_META.format('task', 'interpolation', _SIZE, '')}{tracks}</annotations>")
    assert len({one.obj_id for _, one in _objects(read_results(tmp_path / "a.xml"))}) == 3
    frames = [SeenFrame(n, n / 25, (_seen(5, _square(2 + n, 3)),)) for n in range(3)]
    export([video(frames)], "cvat", tmp_path / "ours", shape="mask")
    assert {one.obj_id for _, one in _objects(read_results(tmp_path / "ours"))} == {5}


def test_shapes_that_cannot_be_read_are_noted(tmp_path: Path) -> None:
    tracks = f'<track id="0" label="x"><ellipse frame="1"/></track><track id="1" label="x">{_BOX.format(0)}</track>'
    _write(tmp_path / "a.xml", f"<annotations>{_META.format('task', 'interpolation', _SIZE, '')}{tracks}</annotations>")
    sources = Sources()
    assert len(_objects(read_results(tmp_path / "a.xml", sources=sources))) == 5
    assert any("track 0, frame 1: left out: ellipse shapes are not read" in note for note in sources.notes)


@pytest.mark.parametrize("tracked", [True, False])
def test_cvat_for_images(tmp_path: Path, tracked: bool) -> None:
    identity = '<attribute name="track_id">7</attribute>' if tracked else ""
    images = "".join(
        f'<image id="{n}" name="walk/frame_{n:06}.png" width="{WIDTH}" height="{HEIGHT}">'
        f'<box label="dog" xtl="2" ytl="3" xbr="8" ybr="9">{identity}</box><points label="p" points="1,2"/></image>'
        for n in (0, 5)
    )
    _write(tmp_path / "a.xml", f"<annotations>{_META.format('task', 'annotation', '', '')}{images}</annotations>")
    sources = Sources()
    (found,) = read_results(tmp_path / "a.xml", sources=sources)
    seen = _objects([found])
    assert found.tracked is tracked
    assert [(frame, one.obj_id, one.label) for frame, one in seen] == [(n, 7 if tracked else 1, "dog") for n in (0, 5)]
    assert len(list(sources.notes)) == 2


def _between(first: np.ndarray, last: np.ndarray, share: float) -> np.ndarray:
    """CVAT's polygon between two key frames: corners by their share of the outline, moved in straight lines."""
    if first.shape == last.shape and (first == last).all():
        return first

    def even(points: np.ndarray) -> np.ndarray:
        closed = np.vstack([points, points[:1]])
        along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
        at = np.linspace(0, along[-1], 64, endpoint=False)
        return np.column_stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)])

    return even(first) * (1 - share) + even(last) * share


def _cvat_shows(xml: Path) -> dict[tuple[str, int], np.ndarray]:
    """What CVAT shows of each track on each frame, from its key frames alone."""
    shown = {}
    root = ET.parse(xml).getroot()
    stop = int(root.findtext("meta/task/stop_frame") or 0)
    for track in root.iter("track"):
        keys = [
            (int(one.get("frame") or 0), one.get("outside") == "1",
             np.array([p.split(",") for p in (one.get("points") or "").split(";")], float))
            for one in track.iter("polygon")
        ]  # fmt: skip
        for (frame, outside, points), after in zip(keys, [*keys[1:], None], strict=True):
            end = stop + 1 if after is None else after[0]
            for now in range(frame, end):
                place = points
                if after is not None and not after[1]:
                    place = _between(points, after[2], (now - frame) / (end - frame))
                if not outside:
                    shown[track.get("id") or "", now] = place
    return shown


def test_cvat_shows_polygons_where_they_are(tmp_path: Path) -> None:
    """CVAT moves polygons all the way from one key frame to the next: one that stood still needs a key at its end."""
    places: dict[int, list[int | None]] = {
        1: [2, 2, 2, 2, 8, 9, 9, 9, 3],
        2: [None, 5, 5, 5, None, None, 4, 4, 6],
    }
    frames = [
        SeenFrame(
            n, n / 25,
            tuple(_seen(obj_id, _square(x, 3 * obj_id)) for obj_id, row in places.items() if (x := row[n]) is not None),
        )
        for n in range(9)
    ]  # fmt: skip
    export([video(frames)], "cvat", tmp_path / "out", shape="polygon")
    shown = _cvat_shows(next((tmp_path / "out").rglob("*.xml")))
    assert set(shown) == {(str(one.obj_id), f.source_frame) for f in frames for one in f.objects}
    for frame in frames:
        for one in frame.objects:
            assert one.rle is not None
            x0, y0, _, _ = one.box_xyxy
            corners = shown[str(one.obj_id), frame.source_frame]
            np.testing.assert_allclose(corners.min(axis=0), (x0, y0), atol=0.01)


# ---- MOT, MOTS, folders of masks


def _mot(folder: Path, rows: str, size: bool = True) -> Path:
    told = f"[Sequence]\nname=A\nframeRate=25\nseqLength=4\nimWidth={WIDTH}\nimHeight={HEIGHT}\n"
    if size:
        _write(folder / "A" / "seqinfo.ini", told)
        _write(folder / "A" / "gt" / "gt.txt", rows)
        return folder
    _write(folder / "A.txt", rows)
    return folder / "A.txt"


def test_frames_of_mot_count_from_0_where_one_is_0(tmp_path: Path) -> None:
    assert [frame for frame, _ in _objects(read_results(_mot(tmp_path / "k", "0,1,1,2,3,4,1\n2,1,1,2,3,4,1\n")))] == [
        0,
        2,
    ]
    assert [frame for frame, _ in _objects(read_results(_mot(tmp_path / "m", "1,1,1,2,3,4,1\n2,1,1,2,3,4,1\n")))] == [
        0,
        1,
    ]


@pytest.mark.parametrize("nobody", ["-1", " -1", "-1.0"])
def test_ids_of_minus_one_are_nobody_however_written(tmp_path: Path, nobody: str) -> None:
    rows = f"1,{nobody},1,2,3,4,0.5\n1,{nobody},9,2,3,4,0.6\n"
    (found,) = read_results(_mot(tmp_path / "all", rows))
    assert not found.tracked
    assert len(_objects([found])) == 2
    sources = Sources()
    (mixed,) = read_results(_mot(tmp_path / "mixed", f"{rows}1,4,5,5,3,4,1\n2,4,5,5,3,4,1\n"), sources=sources)
    ids = [one.obj_id for _, one in _objects([mixed])]
    assert mixed.tracked
    assert ids.count(4) == 2
    assert len(set(ids)) == 3
    assert len(sources.notes) == 1


def test_other_results_tell_the_size(tmp_path: Path) -> None:
    rows = "1,1,1,2,3,4,1\n"
    file = _mot(tmp_path / "found", rows, size=False)
    with pytest.raises(MissingFacts):
        read_results(file)
    truth = read_results(_mot(tmp_path / "truth", rows))
    (found,) = read_results(file, sources=Sources(like=tuple(truth)))
    assert (found.width, found.height, found.length) == (WIDTH, HEIGHT, 4)


def test_mots_as_png(tmp_path: Path) -> None:
    for n in range(2):
        ids = np.zeros((HEIGHT, WIDTH), np.uint16)
        ids[2:9, 3 + n : 9 + n], ids[10:20, 12:20], ids[:, 28:] = 1001, 2003, 10_000
        path = tmp_path / "instances" / "0007" / f"{n:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), ids)
    assert detect(tmp_path) == "mots"
    (found,) = read_results(tmp_path)
    frame, _ = found.read()
    assert [(one.obj_id, one.label) for one in frame.objects] == [(1001, "car"), (2003, "pedestrian")]
    assert [one.rule for one in frame.ignored] == ["region"]


def test_sa_v_has_a_folder_for_each_object(tmp_path: Path) -> None:
    for name, objects in (("sav_000001", 2), ("sav_000002", 1)):
        for number in range(objects):
            for frame in (0, 4, 8):
                path = tmp_path / name / f"{number:03}" / f"{frame:05}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                if (number, frame) != (1, 8):
                    Image.fromarray(255 * _square(3 + 9 * number, 4).astype(np.uint8)).save(path)
    found = read_results(tmp_path)
    assert [(one.name, sorted({seen.obj_id for _, seen in _objects([one])})) for one in found] == [
        ("sav_000001", [1, 2]), ("sav_000002", [1]),
    ]  # fmt: skip
    assert [[f.source_frame, len(f.objects)] for f in found[0].read()] == [[0, 2], [4, 2], [8, 1]]


def test_videos_of_one_name_in_several_folders(tmp_path: Path) -> None:
    for camera in ("cam0", "cam1"):
        Image.fromarray(_square(3, 4).astype(np.uint8)).convert("P").save(
            _made(tmp_path / "masks" / camera / "rgb") / "00000.png"
        )
        _picture(tmp_path / "videos" / camera / "rgb" / "00000.jpg", grey=40 if camera == "cam0" else 80)
    found = read_results(tmp_path / "masks")
    assert [one.name for one in found] == ["cam0_rgb", "cam1_rgb"]
    sources = Sources(tmp_path / "videos")
    assert sources.find("rgb", "elsewhere/cam1/rgb") == tmp_path / "videos" / "cam1" / "rgb"
    assert sources.find("cam0_rgb") == tmp_path / "videos" / "cam0" / "rgb"
    assert sources.find("rgb") is None, "it could be either"


def test_one_video_that_was_pointed_at_is_not_whatever_name_comes(tmp_path: Path) -> None:
    _picture(tmp_path / "walk" / "0.jpg")
    sources = Sources(tmp_path / "walk")
    assert sources.of(2).find("run") is None
    assert sources.of(2).find("walk") == tmp_path / "walk"
    assert sources.of(1).find("run") == tmp_path / "walk"


def test_our_own_masks_keep_their_frames_whatever_their_names_look_like(tmp_path: Path) -> None:
    frames = [SeenFrame(n, n / 25, (_seen(1, _square(n, 3)),)) for n in (1, 2, 3)]
    for to in ("davis", "coco-video", "coco"):
        export([video(frames)], to, tmp_path / to)
        assert [f.source_frame for f in read_results(tmp_path / to)[0].read()] == [1, 2, 3]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
