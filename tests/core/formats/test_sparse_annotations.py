"""Sources of sparse annotations: what is usable is read, what is not is named, nothing stops the rest."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RefusedInput
from core.formats.hd_epic import HdEpic, stationary_objects
from core.formats.prompts import read_prompts
from core.formats.sparse_annotations import SparseAnnotations, SparsePrompt, fit, from_prompts, held_out
from core.formats.visor import Visor
from core.masks import rle


def _write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def _hd_epic(folder: Path, associations: dict[str, Any], masks: dict[str, Any]) -> SparseAnnotations:
    assoc = _write(folder / "assoc_info.json", {"P01-a": associations, "P01-b": {}})
    found = HdEpic(assoc, _write(folder / "mask_info.json", {"P01-a": masks})).annotations("P01-a")
    assert found is not None
    return found


def _mask(frame: object, box: object) -> dict[str, Any]:
    return {"frame_number": frame, "3d_location": [0.1, 0.2, 0.3], "bbox": box, "fixture": None}


def test_hd_epic_annotations_are_read_and_bad_ones_named(tmp_path: Path) -> None:
    found = _hd_epic(
        tmp_path,
        {
            "0a1b2c3d4e5f6071": {
                "name": "mug",
                "tracks": [
                    {"track_id": "t0", "time_segment": [1.0, 2.5], "masks": ["m0", "m1"]},
                    {"track_id": "t1", "time_segment": [9.0, 9.5], "masks": ["m2", "unknown"]},
                    {"track_id": "t2", "time_segment": "soon", "masks": []},
                ],
            },
            "ffffffffffffffff": {"name": "knife", "tracks": [{"track_id": "t", "time_segment": [0, 1], "masks": []}]},
            "eeeeeeeeeeeeeeee": {"name": "cup"},
            "dddddddddddddddd": {
                "name": "pan",
                "tracks": [{"track_id": "t", "time_segment": [0, 1], "masks": ["odd"]}],
            },
        },
        {
            "m0": _mask(30, [10.5, 20.0, 40.0, 60.0]),
            "m1": _mask(75, [11.5, 20.0, 40.0, 60.0]),
            "m2": _mask(270, [0.0, 0.0, 5.0, 5.0]),
            "odd": _mask(3, [50, 10, 20, 30]),
        },
    )
    assert [(one.assoc_id, one.name) for one in found.objects] == [("0a1b2c3d4e5f6071", "mug")]
    assert [prompt.frame for prompt in found.objects[0].prompts] == [30, 75, 270]
    assert found.objects[0].segments == ((1.0, 2.5), (9.0, 9.5))
    reported = {problem.where: problem.what for problem in found.problems}
    assert "mask unknown is not in mask_info" in reported["0a1b2c3d4e5f6071 (mug), track 1"]
    assert "time_segment" in reported["0a1b2c3d4e5f6071 (mug), track 2"]
    assert "no annotation that can be used" in reported["ffffffffffffffff (knife)"]
    assert "tracks" in reported["eeeeeeeeeeeeeeee"]
    assert "x0 < x1" in reported["dddddddddddddddd (pan), track 0"]


def test_an_unknown_video_and_unreadable_files(tmp_path: Path) -> None:
    assoc = _write(tmp_path / "assoc.json", {"P01-a": {}})
    assert HdEpic(assoc, _write(tmp_path / "mask.json", {})).annotations("P09-x") is None
    with pytest.raises(RefusedInput, match="mask_info"):
        HdEpic(assoc, tmp_path / "missing.json")
    with pytest.raises(RefusedInput, match="assoc_info"):
        HdEpic(_write(tmp_path / "list.json", [1]), assoc)


def test_what_does_not_fit_the_video_is_named_and_the_rest_kept() -> None:
    given = SparseAnnotations()
    wrong_size = rle.encode(np.ones((4, 4), np.bool_))
    given.add("b", "pot", [SparsePrompt(frame=5, box=(90, 10, 130, 50)), SparsePrompt(frame=99, box=(1, 1, 5, 5))], ())
    given.add("a", "lid", [SparsePrompt(frame=1, box=(200, 10, 230, 50)), SparsePrompt(frame=2, mask=wrong_size)], ())
    found = fit(given, 100, 60, 50)
    assert [one.assoc_id for one in found.objects] == ["b"]
    assert found.objects[0].prompts[0].box == (90, 10, 100, 50)
    reported = {problem.where: problem.what for problem in found.problems}
    assert "ends with frame 49" in reported["b (pot), frame 99"]
    assert "outside the picture of 100x60" in reported["a (lid), frame 1"]
    assert "its mask is 4x4, the picture 100x60" in reported["a (lid), frame 2"]
    assert "75% of its box" in reported["b (pot), frame 5"]
    assert "not annotated" in reported["a (lid)"]


def test_visor_polygons_become_masks_at_their_frames(tmp_path: Path) -> None:
    square = [[480, 270], [960, 270], [960, 540], [480, 540]]
    hole_apart = [[1000, 270], [1100, 270], [1100, 300]]
    content = {
        "video_annotations": [
            {
                "image": {"name": "P01_01_frame_0000000140.jpg", "video": "P01_01", "subsequence": "P01_01_seq_00001"},
                "annotations": [
                    {"id": "x", "name": "plate", "class_id": 2, "segments": [square, hole_apart]},
                    {"id": "y", "name": "left hand", "class_id": 300, "segments": [square]},
                ],
            },
            {
                "image": {"name": "P01_01_frame_0000000200.jpg", "video": "P01_01", "subsequence": "P01_01_seq_00002"},
                "annotations": [{"id": "z", "name": "plate", "class_id": 2, "segments": [square]}],
            },
            {"image": {"name": "elsewhere.jpg", "video": "P02_01"}, "annotations": []},
            {"image": {"name": "P01_01_odd.jpg", "video": "P01_01"}, "annotations": []},
        ]
    }
    visor = _write(tmp_path / "P01_01.json", content)
    _write(tmp_path / "frame_mapping.json", {"P01_01": {"P01_01_frame_0000000140.jpg": "frame_0000000301.jpg"}})
    found = Visor(visor).annotations("P01_01", 960, 540, np.arange(1000) / 60)
    assert found is not None
    by_id = {one.assoc_id: one for one in found.objects}
    assert set(by_id) == {"P01_01_seq_00001/plate", "P01_01_seq_00001/left hand", "P01_01_seq_00002/plate"}
    plate = by_id["P01_01_seq_00001/plate"].prompts[0]
    assert plate.frame == 300  # mapped, and counted from 0
    assert by_id["P01_01_seq_00002/plate"].prompts[0].frame == 199
    assert plate.mask is not None
    x0, y0, x1, y1 = rle.box_xyxy(plate.mask)
    assert (x0, y0, y1) == pytest.approx((240, 135, 271), abs=1)
    assert x1 == pytest.approx(551, abs=1)
    assert "P01_01_odd.jpg" in found.problems[0].what
    assert Visor(visor).annotations("P03_01", 960, 540, np.arange(1000) / 60) is None


@pytest.mark.parametrize(
    ("video_id", "fps", "frame"),
    [("P09_08", 30, 10), ("P09_08", 59.94, 20), ("P09_108", 50, 20), ("P09_108", 25, 10), ("my-film", 30, 20)],
)
def test_visor_counts_times_not_frames(video_id: str, fps: float, frame: int, tmp_path: Path) -> None:
    square = [[100, 100], [200, 100], [200, 200], [100, 200]]
    image = {"name": f"{video_id}_frame_0000000021.jpg", "video": video_id}
    content = {"video_annotations": [{"image": image, "annotations": [{"name": "cup", "segments": [square]}]}]}
    found = Visor(_write(tmp_path / "visor.json", content)).annotations(video_id, 960, 540, np.arange(100) / fps)
    assert found is not None
    assert [prompt.frame for prompt in found.objects[0].prompts] == [frame]


def test_a_prompts_file_gives_boxes_and_masks(tmp_path: Path) -> None:
    mask = np.zeros((6, 8), np.bool_)
    mask[2:4, 3:6] = True
    path = _write(
        tmp_path / "prompts.json",
        {
            "v": [
                {"frame": 4, "obj_id": 7, "label": "mug", "box": [1, 1, 4, 5]},
                {"frame": 9, "obj_id": 7, "mask": dict(rle.encode(mask))},
            ]
        },
    )
    (mug,) = from_prompts(read_prompts(path)["v"]).objects
    assert (mug.assoc_id, mug.name, [prompt.frame for prompt in mug.prompts]) == ("7", "mug", [4, 9])
    assert mug.prompts[1].extent == (3, 2, 6, 4)


@pytest.mark.parametrize(
    "mask",
    [{"size": [6, 8], "counts": "zzzzzzzz"}, {"size": [6, 8], "counts": "1"}, {"size": [10**9, 10**9], "counts": ""}],
)
def test_masks_that_would_overrun_are_refused(mask: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="RLE"):
        read_prompts(_write(tmp_path / "prompts.json", {"v": [{"mask": mask}]}))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32))
def test_every_mask_of_ours_passes_the_check(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) > 0.5
    rle.check(rle.encode(mask))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.floats(0.05, 0.9))
def test_held_out_prompts_are_the_share_asked_for_and_leave_each_object_one(counts: list[int], share: float) -> None:
    given_ = SparseAnnotations()
    for number, count in enumerate(counts):
        given_.add(str(number), "x", [SparsePrompt(frame=f, box=(0, 0, 1, 1)) for f in range(count)], ())
    first = {(str(number), 0) for number in range(len(counts))}
    kept, out = held_out(given_.objects, share, first)
    assert held_out(given_.objects, share, first) == (kept, out)
    taken = sum(len(prompts) for prompts in out.values())
    assert taken == min(sum(counts) - len(counts), round(share * sum(counts)))
    for before, after in zip(given_.objects, kept, strict=True):
        assert after.prompts[0] == before.prompts[0]
        assert sorted([*after.prompts, *out.get(before.assoc_id, [])], key=lambda p: p.frame) == list(before.prompts)


def test_stationary_objects_are_those_that_no_event_moves(tmp_path: Path) -> None:
    graph = tmp_path / "scene_graphs_v.jsonl"
    first = {"counter": ["mug", "kettle", "bowl"], "drawer": ["spoon", "knife"]}
    second = {"counter": ["kettle", "bowl"], "drawer": ["spoon"], "sink": ["knife"]}
    events = [
        {"time": 0, "action": "INITIAL", "object_name": None, "mask_id": None, "scene_graph": first},
        {"time": 5, "action": "PICK", "object_name": "mug", "mask_id": "m", "scene_graph": second},
    ]
    graph.write_text("".join(json.dumps(event) + "\n" for event in events) + "not json\n{}\n")
    names, problems = stationary_objects(graph, moved=["bowl"])
    assert names == ["kettle", "spoon"]
    assert [problem.where for problem in problems] == ["scene_graphs_v.jsonl, line 3", "scene_graphs_v.jsonl, line 4"]
