"""YOLO data sets as other people lay them out: rows are what the whole set says."""

from pathlib import Path

import pytest
from neutral import sightings, video, write_file, write_picture

from core.formats.exchange.exporting import export
from core.formats.exchange.model import SeenFrame, SeenObject
from core.formats.exchange.registry import detect, read_results
from core.formats.exchange.sources import Sources

_ABOUT = "names: {0: person, 1: dog}\ntrain: images/train\nval: images/train\n"


def _yolo(folder: Path, rows: dict[str, str], about: str = _ABOUT, size: tuple[int, int] = (100, 50)) -> Path:
    write_file(folder / "data.yaml", about)
    for name, text in rows.items():
        write_file(folder / "labels" / "train" / f"{name}.txt", text)
        write_picture(folder / "images" / "train" / f"{name}.jpg", *size)
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
    seen = sightings([found])
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
    (seen,) = sightings(read_results(tmp_path))
    assert seen[1].box_xyxy == pytest.approx((40, 15, 60, 35))
    assert seen[1].score == (0.8 if tail else None)
    assert seen[1].rle is None


def test_each_picture_of_yolo_has_its_own_size(tmp_path: Path) -> None:
    _yolo(tmp_path, {"IMG_1": "0 0.5 0.5 0.2 0.4"})
    write_file(tmp_path / "labels/train/IMG_2.txt", "0 0.5 0.5 0.2 0.4")
    write_picture(tmp_path / "images/train/IMG_2.JPG", 200, 50)
    boxes = {one.width: one_box for one in read_results(tmp_path) for _, one_box in sightings([one])}
    assert boxes[200].box_xyxy == pytest.approx((80, 15, 120, 35))
    assert boxes[100].box_xyxy == pytest.approx((40, 15, 60, 35))


@pytest.mark.parametrize("layout", ["roboflow", "path", "list", "classes.txt", "dataset.yaml"])
def test_where_yolo_data_sets_are(tmp_path: Path, layout: str) -> None:
    row, names = "1 0.5 0.5 0.2 0.4", "names: [cat, dog]\n"
    if layout == "roboflow":
        write_file(tmp_path / "data.yaml", f"{names}train: ../train/images\nval: ../valid/images\n")
        places = ["train/labels", "valid/labels"]
    elif layout == "path":
        write_file(tmp_path / "data.yaml", f"{names}path: sets\ntrain: images/a\nval: [images/b]\n")
        places = ["sets/labels/a", "sets/labels/b"]
    elif layout == "list":
        write_file(tmp_path / "data.yaml", f"{names}train: train.txt\n")
        write_file(tmp_path / "train.txt", "./images/x_0.jpg\n./images/x_1.jpg\n")
        places = ["labels", "labels"]
    else:
        places = ["labels/train", "labels/train"]
        if layout == "classes.txt":
            write_file(tmp_path / "labels/train/classes.txt", "cat\ndog\n")
        else:
            write_file(tmp_path / "dataset.yaml", names)
    for number, place in enumerate(places):
        write_file(tmp_path / place / f"x_{number}.txt", row)
        write_picture(tmp_path / place.replace("labels", "images") / f"x_{number}.jpg", 100, 50)
    assert detect(tmp_path) == "yolo"
    assert [one.label for _, one in sightings(read_results(tmp_path))] == ["dog", "dog"]


def test_nothing_outside_a_yolo_data_set_is_read(tmp_path: Path) -> None:
    write_file(tmp_path / "secret/labels/a_1.txt", "0 0.5 0.5 0.2 0.4")
    _yolo(tmp_path / "set", {"a_1": "0 0.5 0.5 0.2 0.4"}, f"names: [cat]\ntrain: {tmp_path / 'secret/images'}\n")
    assert len(sightings(read_results(tmp_path / "set"))) == 1


def test_a_bad_row_and_a_missing_picture_cost_themselves(tmp_path: Path) -> None:
    _yolo(tmp_path, {"a_1": "0 0.5 0.5 0.2 0.4\n7 0.5 0.5 0.1 0.1\n0 0.5 x 0.1 0.1", "a_2": "0 0.5 0.5 0.2 0.4"})
    (tmp_path / "images/train/a_2.jpg").unlink()
    sources = Sources()
    assert len(sightings(read_results(tmp_path, sources=sources))) == 1
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


@pytest.mark.parametrize(
    ("files", "seen"),
    [
        (  # trackers leave out ids that are not certain
            ["0 .5 .5 .2 .4 .8", "0 .5 .5 .2 .4 .81 3\n0 .2 .2 .1 .1 .7 4", "0 .5 .5 .2 .4 .82 3"],
            [(0, 5, 0.8), (1, 3, 0.81), (1, 4, 0.7), (2, 3, 0.82)],
        ),
        (["0 .5 .5 .2 .4\n0 .2 .2 .1 .1 3"], [(0, 4, None), (0, 3, None)]),
        (["0 .5 .5 .2 .4 .9 1", "0 .5 .5 .2 .4 .8 1"], [(0, 1, 0.9), (1, 1, 0.8)]),
    ],
)
def test_rows_without_an_id_among_others(
    tmp_path: Path, files: list[str], seen: list[tuple[int, int, float | None]]
) -> None:
    _yolo(tmp_path, {f"w_{number}": rows for number, rows in enumerate(files)})
    found = read_results(tmp_path)
    assert [(frame, one.obj_id, one.score) for frame, one in sightings(found)] == seen
    assert all(one.rle is None for _, one in sightings(found))


def test_pictures_without_labels_count_as_frames(tmp_path: Path) -> None:
    _yolo(tmp_path, {f"walk_{n}": "0 .5 .5 .2 .4" for n in range(1, 6)})
    for number in (3, 5):
        (tmp_path / "labels" / "train" / f"walk_{number}.txt").unlink()
    assert [frame for frame, _ in sightings(read_results(tmp_path))] == [0, 1, 3]


def test_names_of_roboflow(tmp_path: Path) -> None:
    _yolo(tmp_path, {f"walk_mp4-{n:04}_jpg.rf.{h}": "0 .5 .5 .2 .4" for n, h in ((0, "8f3a12"), (1, "77bc4"))})
    (found,) = read_results(tmp_path)
    assert [frame for frame, _ in sightings([found])] == [0, 1]
