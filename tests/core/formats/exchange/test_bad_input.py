"""What other people's files may hold: each is read right, or refused with its place; nothing else happens."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neutral import HEIGHT, WIDTH, video
from PIL import Image

from core.errors import MaskflowError
from core.formats.exchange import results_lines
from core.formats.exchange.exporting import export
from core.formats.exchange.model import SeenFrame, SeenObject
from core.formats.exchange.registry import read_results
from core.store.paths import inside

_BOX = SeenObject(1, "ball", (2, 3, 8, 9))
_CVAT = (
    "<annotations><meta><task><name>t</name><size>9</size><mode>interpolation</mode><start_frame>0</start_frame>"
    "<stop_frame>8</stop_frame><original_size><width>32</width><height>24</height></original_size></task></meta>{}"
    "</annotations>"
)
_SHAPE = '<box frame="{}" outside="0" keyframe="1" xtl="2" ytl="3" xbr="8" ybr="9"{}/>'
_COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a/0001.jpg", "width": 32, "height": 24}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
    "categories": [{"id": 1, "name": "ball"}],
}


def _read(folder: Path, name: str, content: str) -> list[SeenFrame]:
    path = inside(folder, *name.split("/"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return [frame for one in read_results(folder if "/" in name else path) for frame in one.read()]


def _track(shapes: str, number: int = 0) -> str:
    return f'<track id="{number}" label="x" source="manual">{shapes}</track>'


def _cvat(*tracks: str) -> str:
    return _CVAT.format("".join(tracks))


def _coco(**changed: Any) -> str:
    return json.dumps({**_COCO, **changed})


def _annotation(**changed: Any) -> str:
    return _coco(annotations=[{**_COCO["annotations"][0], **changed}])


@pytest.mark.parametrize(
    ("name", "content", "reported"),
    [
        ("a.xml", _cvat(_track(_SHAPE.format(50, ""))), "frame 50 after the last, 8"),
        ("a.xml", _cvat('<track id="0" label="x"><polygon frame="1" outside="0"/></track>'), "not made as"),
        ("a.xml", _cvat('<track id="0" label="x"><mask frame="1" outside="0" left="0"/></track>'), "track 0"),
        ("a.xml", _cvat('<track id="0" label="x"><ellipse frame="1"/></track>'), "ellipse shapes are not read"),
        ("a.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotations>&b;</annotations>", "DTD or entities"),
        ("a.xml", _cvat('<track id="0" label="x">'), "not XML, or cut short"),
        ("a.xml", '<?xml version="1.0" encoding="bogus-9"?><annotations/>', "a.xml"),
        ("a.xml", _CVAT.replace(">32<", ">200000<").replace(">24<", ">200000<").format(""), "more than the 64,000,000"),
        ("a.xml", _CVAT.replace("<stop_frame>8<", "<stop_frame>99999999999<").format(""), "frames, more than"),
        ("a.json", _annotation(bbox=[1, 2, float("nan"), 4]), "a.json"),
        ("a.json", _annotation(bbox=[1, 2, -3, 4]), "annotation 1: not a box"),
        ("a.json", _annotation(image_id=7), "annotation 1: no image 7"),
        ("a.json", _annotation(category_id=7), "annotation 1: no category 7"),
        ("a.json", _annotation(segmentation=[[1, 2, 3]], bbox=None), "annotation 1: a polygon is"),
        ("a.json", _annotation(segmentation={"size": [24, 32], "counts": [1, 2]}), "runs fill its size"),
        ("a.json", _annotation(score="high"), "a score is a number"),
        ("a.json", _coco(images=_COCO["images"] * 2), "two images have the id 1"),
        ("a.json", _coco(annotations=["x"]), "annotations holds objects, not 'x'"),
        ("a.json", _coco()[:-30], "cut short"),
        ("a.json", "[" * 100_000, "too deep"),
        ("a.jsonl", "[" * 100_000, "unknown schema"),
        ("a.jsonl", "", "empty"),
        ("a/gt/gt.txt", "0,1,1,2,3,3,1,1", "nothing says the size"),
        ("a/seqinfo.ini", "[Sequence]\nseqLength=x", "no"),
        ("a/a.csv", "1,2", "unknown schema"),
    ],
)  # fmt: skip
def test_is_refused_with_its_place(tmp_path: Path, name: str, content: str, reported: str) -> None:
    with pytest.raises(MaskflowError) as refused:
        _read(tmp_path / "in", name, content)
    assert reported in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"video_info": {"width": 0, "height": 24, "original_fps": 25, "process_fps": 25, "total_frames": 3}},
        {"video_info": {"width": 32, "height": 24, "original_fps": 0, "process_fps": 25, "total_frames": 3}},
        {"video_info": {"width": 32, "height": 24, "original_fps": 25, "process_fps": 25, "total_frames": -3}},
        {"video_info": None}, {"video_path": 7}, {"frames": ["text"]},
        {"frames": [{"frame_idx": 0, "source_frame": 1.5, "time_s": 0, "objects": []}]},
        {"frames": [{"source_frame": 0, "time_s": 0, "objects": [{"obj_id": -1, "bbox": [1, 2, 3, 4]}]}]},
        {"frames": [{"frame_idx": 0, "source_frame": 0, "time_s": 0, "objects": [{"obj_id": 1, "bbox": 5}]}]},
        {"frames": [{"frame_idx": 0, "source_frame": 0, "time_s": 0, "objects": ["text"]}]},
        {"frames": [{"frame_idx": 0, "source_frame": n, "time_s": 0, "objects": []} for n in (3, 3)]},
    ],
)  # fmt: skip
def test_damaged_results_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "results.jsonl"
    results_lines.write(path, [video([SeenFrame(0, 0.0, (_BOX,))])])
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}) + "\n")
    with pytest.raises(MaskflowError, match=r"results\.jsonl, line 1|walk: "):
        [frame for one in read_results(path) for frame in one.read()]


def test_rows_of_mot_and_names_of_yolo(tmp_path: Path) -> None:
    rows = tmp_path / "mot" / "a" / "gt" / "gt.txt"
    rows.parent.mkdir(parents=True)
    info = "[Sequence]\nname=a\nframeRate={}\nseqLength={}\nimWidth=32\nimHeight={}\n"
    rows.with_name("seqinfo.ini").write_text(info.format(25, 9, 24))
    for row in ("1,1,1,,3,3,1,1", "-1,1,1,2,3,3,1,1", "11,1,1,2,3,3,1,1", "1,1,1,2,-3,3,1,1"):
        rows.write_text(row)
        with pytest.raises(MaskflowError, match=r"gt\.txt, line 1: "):
            list(read_results(tmp_path / "mot")[0].read())
    for damaged in (info.format("nan", 9, 24), info.format(25, 10**9, 24), info.format(25, 9, -4), "[Sequence]\n"):
        rows.with_name("seqinfo.ini").write_text(damaged)
        with pytest.raises(MaskflowError):
            read_results(tmp_path / "mot")
    labels = tmp_path / "yolo" / "labels" / "train" / "walk_000001.txt"
    labels.parent.mkdir(parents=True)
    labels.write_text("0 0.5 0.5 0.1 nan\n")
    videos = "videos: {walk: {width: 32, height: 24, fps: %s}}\n"
    for names in ("names: 5\n", "names: null\n", "names: {a: b}\n", "names: [ball]\n" + videos % "abc",
                  "names: [ball]\n" + videos % 25):  # fmt: skip
        (tmp_path / "yolo" / "data.yaml").write_text(names)
        with pytest.raises(MaskflowError):
            list(read_results(tmp_path / "yolo")[0].read())


def test_cvat_as_it_comes_out_of_cvat(tmp_path: Path) -> None:
    tracks = [_track(_SHAPE.format(1, "") + _SHAPE.format(3, ""), number) for number in (1, 0)]
    frames = _read(tmp_path, "annotations.xml", _cvat(*tracks).replace("<box ", '<box occluded="0" z_order="0" '))
    ids = {one.obj_id for frame in frames for one in frame.objects}
    assert ids == {1, 2}, "CVAT counts from 0, whatever comes first"
    assert [len(frame.objects) for frame in frames] == [0, 2, 2, 2, 2, 2, 2, 2, 2], "the last box stays"
    (turned,) = _read(tmp_path, "b.xml", _cvat(_track(_SHAPE.format(8, ' rotation="90"'))))[8].objects
    assert turned.rle is not None
    assert turned.box_xyxy == (2, 3, 8, 9)


def test_coco_ids_from_nought_and_pictures_of_the_same_number(tmp_path: Path) -> None:
    images = [{**_COCO["images"][0], "id": n, "file_name": name} for n, name in ((1, "x/a_1.jpg"), (2, "x/a-1.png"))]
    same = _COCO["annotations"][0]
    annotations = [{**same, "id": n, "image_id": n, "track_id": n - 1} for n in (1, 2)]
    (tmp_path / "a.json").write_text(_coco(images=images, annotations=annotations))
    videos = read_results(tmp_path / "a.json")
    assert [[len(f.objects) for f in one.read()] for one in videos] == [[1], [1]]
    (tmp_path / "b.json").write_text(_coco(annotations=[{**same, "id": n, "track_id": n} for n in (0, 1)]))
    (one,) = read_results(tmp_path / "b.json")
    assert [o.obj_id for f in one.read() for o in f.objects] == [1, 2]


def test_masks_in_black_and_white_in_grey_and_with_a_palette(tmp_path: Path) -> None:
    def ids(values: list[int], mode: str, name: str) -> set[int]:
        folder = tmp_path / name
        folder.mkdir()
        pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
        pixels[0, : len(values)] = values
        image = Image.fromarray(pixels, "L")
        if mode == "P":
            image.putpalette([0] * 768)
        image.save(folder / "00000.png")
        (folder / "._00000.png").write_bytes(b"left by a Mac")
        (one,) = read_results(folder)
        return {o.obj_id for f in one.read() for o in f.objects}

    assert ids([255], "L", "binary") == {1}
    assert ids([7, 255], "L", "grey") == {7, 255}
    assert ids([7, 255], "P", "palette") == {7}, "255 is what is not judged"


def test_people_are_class_one_of_mot_whatever_the_other_labels_are(tmp_path: Path) -> None:
    frames = [SeenFrame(0, 0.0, (_BOX, SeenObject(2, "person", (9, 9, 12, 14))))]
    export([video(frames)], "mot", tmp_path / "out")
    rows = (tmp_path / "out" / "train" / "walk" / "gt" / "gt.txt").read_text().splitlines()
    assert [row.split(",")[7] for row in rows] == ["2", "1"]
    (one,) = read_results(tmp_path / "out")
    assert [o.label for f in one.read() for o in f.objects] == ["ball", "person"]


def test_a_runs_folder_is_its_results(tmp_path: Path) -> None:
    results_lines.write(tmp_path / "results.jsonl", [video([SeenFrame(0, 0.0, (_BOX,))])])
    for name in ("failures.jsonl", "review.jsonl"):
        (tmp_path / name).write_text("")
    (tmp_path / ".maskflow").mkdir()
    (tmp_path / ".maskflow" / "tracks.rrd").write_bytes(b"")
    export(read_results(tmp_path), "mot", tmp_path / "mot")
    assert [one.name for one in read_results(tmp_path)] == ["walk"]
