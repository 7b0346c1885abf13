import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rerun.chunk import RrdReader
from rgbd_clips import box_masks, unpacked, walls

from core.formats.rerun_points import batch_entity, record_points
from core.formats.tracked_npz import Tracked
from core.rgbd.clip import Clip, ClipView


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    arrays = {**walls(2, 20), "timestamps": np.arange(20) / 10}
    return unpacked(tmp_path / "clip", arrays, box_masks(arrays))


def _tracked(count: int) -> Tracked:
    xyz = np.random.default_rng(0).normal(size=(20, count, 3)).astype(np.float32)
    valid = np.ones((20, count), bool)
    valid[:5, 0], xyz[:5, 0] = False, np.nan
    return Tracked(xyz, valid, valid, np.zeros((count, 4), np.float32), np.arange(count))


def _record(path: Path, number: int, tracked: Tracked, view: ClipView) -> None:
    with record_points(path, "an-id", view) as recording:
        recording.log_batch(batch_entity("a", number), tracked)


def rows(path: Path) -> dict[str, int]:
    """Rows of each entity in a recording, and its id."""
    found: dict[str, int] = {}
    for chunk in RrdReader(path).stream():
        if not str(chunk.entity_path).startswith("/__"):
            found[str(chunk.entity_path)] = found.get(str(chunk.entity_path), 0) + chunk.num_rows
    return found


def test_one_recording_holds_the_scene_once_and_every_batch_in_its_place(tmp_path: Path, clip: Clip) -> None:
    view = ClipView(clip)
    with record_points(tmp_path / "all.rrd", "an-id", view) as recording:
        recording.log_scene()
        for number in range(3):
            recording.log_batch(f"world/instances/a/batch_{number}", _tracked(4))
    found = rows(tmp_path / "all.rrd")
    assert {f"/world/instances/a/batch_{n}/{part}" for n in range(3) for part in ("points", "trails")} <= set(found)
    assert found["/world/scene/cam0"] == found["/world/scene/cam1"] == 20
    assert found["/world/cameras/cam0/image"] == 20
    assert found["/world/instances/a/batch_1/points"] == 20


def test_recordings_of_batches_opened_together_show_together(tmp_path: Path, clip: Clip) -> None:
    """The same recording id and different places: Rerun's own merge keeps all."""
    files = [tmp_path / f"{number}.rrd" for number in range(2)]
    for number, path in enumerate(files):
        _record(path, number, _tracked(3 + number), ClipView(clip, 2))
    merged = tmp_path / "merged.rrd"
    tool = Path(sys.executable).with_name("rerun")
    subprocess.run([tool, "rrd", "merge", *files, "-o", merged], check=True, capture_output=True)
    assert len(RrdReader(merged).recordings()) == 1
    found = rows(merged)
    assert {"/world/instances/a/batch_0/points", "/world/instances/a/batch_1/points"} <= set(found)


def test_a_batch_of_nothing_can_be_recorded(tmp_path: Path, clip: Clip) -> None:
    _record(tmp_path / "a.rrd", 0, _tracked(3).part(np.zeros(3, bool)), ClipView(clip))
    assert (tmp_path / "a.rrd").stat().st_size > 0


def test_names_of_any_script_have_places_of_their_own(tmp_path: Path, clip: Clip) -> None:
    names = ["猫", "犬", "a b", "a/b", "a_b"]
    with record_points(tmp_path / "all.rrd", "an-id", ClipView(clip)) as recording:
        for name in names:
            recording.log_batch(batch_entity(name, 0), _tracked(2))
    assert len([entity for entity in rows(tmp_path / "all.rrd") if entity.endswith("points")]) == len(names)
