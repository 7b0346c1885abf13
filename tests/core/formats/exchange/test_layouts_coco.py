"""COCO as other people write it: one unusable thing costs itself alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from neutral import HEIGHT, WIDTH, sightings, write_file, write_picture

from core.errors import MaskflowError
from core.formats.exchange.registry import detect, read_results
from core.formats.exchange.sources import Sources


def _coco(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> str:
    reported = [{"width": WIDTH, "height": HEIGHT, **one} for one in images]
    labelled = [{"category_id": 1, "bbox": [1, 2, 3, 4], **one} for one in annotations]
    return json.dumps({"images": reported, "annotations": labelled, "categories": [{"id": 1, "name": "ball"}]})


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
    write_file(tmp_path / "a.json", _coco(images, bad))
    sources = Sources()
    assert len(sightings(read_results(tmp_path / "a.json", sources=sources))) == 3
    notes = [note for note in sources.notes if ", annotation " in note]
    assert [next(n for n in range(1, 7) if f"annotation {n}" in note) for note in notes] == [1, 2, 3, 4, 5]
    assert "fewer than three corners" in notes[0]
    assert "it is text" in notes[3]


def test_names_of_images_tell_video_and_frame(tmp_path: Path) -> None:
    names = ["P01/frame_0000000005.jpg", "P01/frame_0000000010.jpg", "b/2.jpg", "b/0.jpg"]
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    write_file(tmp_path / "a.json", _coco(images, [{"id": n, "image_id": n, "track_id": 1} for n in range(4)]))
    found = read_results(tmp_path / "a.json")
    assert [(one.name, [f.source_frame for f in one.read()]) for one in found] == [("P01", [5, 10]), ("b", [0, 2])]


def test_pictures_of_a_folder_are_matched_by_name(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        write_picture(tmp_path / "videos" / "walk" / f"{number:06}.jpg")
    images = [{"id": n, "file_name": f"walk/{n:06}.jpg"} for n in (4, 2)]
    write_file(tmp_path / "a.json", _coco(images, [{"id": n, "image_id": n, "track_id": n} for n in (4, 2)]))
    found = read_results(tmp_path / "a.json", sources=Sources(tmp_path / "videos"))
    assert sorted((frame, one.obj_id) for frame, one in sightings(found)) == [(1, 2), (3, 4)]


def test_cvats_coco_keeps_identity_in_attributes(tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"frame_{n:06}.jpg"} for n in (0, 1)]
    annotations = [{"id": n, "image_id": n, "attributes": {"track_id": 8, "occluded": False}} for n in (0, 1)]
    write_file(tmp_path / "a.json", _coco(images, annotations))
    (found,) = read_results(tmp_path / "a.json")
    assert found.tracked
    assert {one.obj_id for _, one in sightings([found])} == {8}


def test_a_missing_size_is_that_of_the_picture(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a_1.jpg", 50, 40)
    content = json.loads(_coco([{"id": 1, "file_name": "a_1.jpg"}], [{"id": 1, "image_id": 1}]))
    del content["images"][0]["width"]
    write_file(tmp_path / "a.json", json.dumps(content))
    assert read_results(tmp_path / "a.json")[0].width == 50
    (tmp_path / "images" / "a_1.jpg").unlink()
    with pytest.raises(MaskflowError, match=r"no image 1|nothing gives its size"):
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
    write_file(tmp_path / "a.json", json.dumps(content))
    sources = Sources()
    assert [(frame, one.obj_id) for frame, one in sightings(read_results(tmp_path / "a.json", sources=sources))] == [
        (5, 2)
    ]
    assert "annotation 1: left out: 1 bboxes for the 2 file_names of video 1" in next(iter(sources.notes))


def test_annotations_without_an_id_among_others_are_not_lost(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a_0.jpg"}]
    write_file(tmp_path / "a.json", _coco(images, [{"id": 1, "image_id": 1}, {"id": 2, "image_id": 1, "track_id": 1}]))
    (found,) = read_results(tmp_path / "a.json")
    assert not found.tracked
    assert len({one.obj_id for _, one in sightings([found])}) == 2


def test_the_order_of_images_changes_no_names(tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"{n:012}.jpg", "width": 30 + n} for n in (139, 285, 632)]
    names = []
    for order in (images, images[::-1]):
        write_file(tmp_path / "a.json", _coco(order, [{"id": one["id"], "image_id": one["id"]} for one in order]))
        names.append({(one.name, one.width) for one in read_results(tmp_path / "a.json")})
    assert names[0] == names[1]
    assert len(names[0]) == 3


def test_an_image_without_an_id_costs_itself(tmp_path: Path) -> None:
    images: list[dict[str, Any]] = [{"file_name": "a_0.jpg"}, {"id": 2, "file_name": "a_1.jpg"}]
    write_file(tmp_path / "a.json", _coco(images, [{"id": 1, "image_id": 2}]))
    sources = Sources()
    assert len(sightings(read_results(tmp_path / "a.json", sources=sources))) == 1
    assert any("image None: left out: 'id' is missing" in note for note in sources.notes)


def test_a_byte_order_mark_and_roboflows_folders(tmp_path: Path) -> None:
    content = _coco([{"id": 1, "file_name": "a_0.jpg"}], [{"id": 1, "image_id": 1}])
    write_file(tmp_path / "set" / "train" / "_annotations.coco.json", f"\ufeff{content}")
    assert detect(tmp_path / "set") == "coco"
    assert len(sightings(read_results(tmp_path / "set"))) == 1
