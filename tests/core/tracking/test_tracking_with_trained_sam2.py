"""The rules of tracking on masks and scores of a SAM 2 that was trained: found, hidden, lost, known again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trained_sam2 import trained_spec

from core.evaluation.clip_score import ClipScore, score_frames
from core.evaluation.clips import SCENES, Scene, render_clip, truth_file
from core.formats.tracks import FRAMES_FILE, FrameRecord, read_frames
from core.masks import rle
from core.store.safe_load import load_json
from core.tracking.video_item import track_video

CROSSING, PILLAR, RETURNING = SCENES
WORDS = {"text_prompt": "red object. green object. blue object", "detector": {"backend": "classical"}}


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    for seed, scene in enumerate(SCENES):
        render_clip(scene, folder / f"{scene.name}.mp4", seed)
    return {scene.name: folder / f"{scene.name}.mp4" for scene in SCENES}


def _track(
    clip: Path,
    folder: Path,
    what: dict[str, Any],
    until: int | None = None,
    begun: Path | None = None,
    reported: list[int] | None = None,
) -> list[FrameRecord]:
    request = {
        "video": str(clip), "segmenter": trained_spec(), "detection_frequency": 1, "max_frames": 60, "checkpoint_s": 0,
        **what,
    }  # fmt: skip
    folder.mkdir(exist_ok=True)

    def report(done: int, _: int | None) -> None:
        if reported is not None:
            reported.append(done)
        if until is not None and done >= until:
            raise Killed

    track_video(request, folder, report, begun)
    return list(read_frames(folder))


def _boxes(clip: Path, *names: str) -> list[dict[str, Any]]:
    """The true boxes on the first frame, as prompts."""
    first = load_json(truth_file(clip))[0]
    return [{"obj_id": n, "box": rle.box_xyxy(first[name])} for n, name in enumerate(names, 1)]


def _score(clip: Path, frames: list[FrameRecord]) -> ClipScore:
    found = [
        {"objects": [{"obj_id": one.obj_id, "segmentation": one.rle} for one in frame.objects]} for frame in frames
    ]
    return score_frames(load_json(truth_file(clip)), found)


@pytest.fixture(scope="module")
def returning(clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> list[FrameRecord]:
    return _track(clips[RETURNING.name], tmp_path_factory.mktemp("returning"), WORDS)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_words_find_objects_that_are_followed_under_one_id(
    scene: Scene, clips: dict[str, Path], tmp_path: Path, returning: list[FrameRecord]
) -> None:
    frames = returning if scene is RETURNING else _track(clips[scene.name], tmp_path, WORDS)
    score = _score(clips[scene.name], frames)
    assert score.ids_kept == score.objects == len(scene.actors)
    assert {one.obj_id for frame in frames for one in frame.objects} == set(range(1, len(scene.actors) + 1))
    assert score.jf.j > 0.75


@pytest.mark.slow
def test_a_box_follows_an_object_behind_a_pillar_and_out_again(clips: dict[str, Path], tmp_path: Path) -> None:
    clip = clips[PILLAR.name]
    frames = _track(clip, tmp_path, {"prompts": _boxes(clip, "red")})
    truth = load_json(truth_file(clip))
    seen = np.array([any(rle.area(one.rle) for one in frame.objects) for frame in frames])
    area = np.array([rle.area(masks["red"]) for masks in truth])
    assert area.min() < 0.15 * area.max(), "it is hidden for a time, or nothing is tested"
    assert seen[area > 0.8 * area.max()].mean() > 0.95
    last = next(one for one in frames[-1].objects if one.obj_id == 1)
    assert rle.iou_matrix([last.rle], [truth[-1]["red"]])[0, 0] > 0.6


@pytest.mark.slow
def test_an_object_that_left_is_not_recorded_and_is_known_again(
    clips: dict[str, Path], returning: list[FrameRecord]
) -> None:
    truth = load_json(truth_file(clips[RETURNING.name]))
    away = np.array([rle.area(masks["blue"]) == 0 for masks in truth])
    assert away.any()
    labels = [{one.label: one.obj_id for one in frame.objects} for frame in returning]
    before = labels[0]["blue object"]
    recorded = np.array(["blue object" in one for one in labels])
    assert recorded[away].mean() < 0.25
    assert labels[-1].get("blue object") == before


@pytest.mark.slow
def test_an_interrupted_tracking_goes_on_to_the_same_bytes(clips: dict[str, Path], tmp_path: Path) -> None:
    clip = clips[PILLAR.name]
    what = {"prompts": _boxes(clip, "red")}
    whole = tmp_path / "whole"
    _track(clip, whole, what)
    begun = tmp_path / "begun"
    begun.mkdir()
    with pytest.raises(Killed):
        _track(clip, tmp_path / "killed", what, until=35, begun=begun)
    assert any(begun.iterdir()), "there is a checkpoint to go on from"
    resumed, reported = tmp_path / "resumed", list[int]()
    _track(clip, resumed, what, begun=begun, reported=reported)
    assert min(done for done in reported if done) > 20, "it goes on in the middle"
    assert (resumed / FRAMES_FILE).read_bytes() == (whole / FRAMES_FILE).read_bytes()
