"""The rendered long video shows what its truth says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.long_scene import LongScene, make_scene, write_annotations, write_video
from core.formats.hd_epic import HdEpic
from core.formats.sparse_annotations import fit
from core.video.source import open_video


@pytest.fixture(scope="module")
def scene() -> LongScene:
    return replace(make_scene(400, 6, 320, 180, 2, seed=3), duration_s=200)


def test_pictures_show_the_truth(scene: LongScene, tmp_path: Path) -> None:
    write_video(scene, tmp_path / "v.mp4", gop=20)
    red = next(thing for thing in scene.things if thing.name == "red mug")
    with open_video(tmp_path / "v.mp4") as video:
        index = video.index()
        assert len(index) == scene.frames == 400
        for frame in video.frames_at(index, [0, 150, 399]):
            mask = scene.masks(frame.source_frame).get(red.assoc_id)
            if mask is not None and mask.sum() > 60:
                colour = frame.image[mask].mean(axis=0)
                assert colour[0] > colour[1] + 60


def test_annotations_are_hd_epics_and_true(scene: LongScene, tmp_path: Path) -> None:
    write_annotations(scene, tmp_path, "v")
    given = HdEpic(tmp_path / "assoc_info.json", tmp_path / "mask_info.json").annotations("v")
    assert given is not None
    found = fit(given, scene.width, scene.height, scene.frames)
    assert found.objects
    for one in found.objects:
        for prompt in one.prompts:
            assert prompt.box is not None
            np.testing.assert_allclose(prompt.box, scene.boxes(prompt.frame)[one.assoc_id])
    assert json.loads((tmp_path / "scene_graphs_v.jsonl").read_text())["action"] == "INITIAL"


def test_things_leave_and_come_back() -> None:
    scene = make_scene(2000, 4, 320, 180, 2)
    seen = [set(scene.masks(frame, 0.25)) for frame in range(0, scene.frames, 40)]
    away = {thing.assoc_id for thing in scene.things if any(thing.assoc_id not in here for here in seen)}
    assert away
    assert all(thing.assoc_id in seen[0] for thing in scene.things)
