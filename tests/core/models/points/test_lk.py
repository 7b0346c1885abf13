from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rgbd_clips import box_masks, moving_plane, unpacked, walls

from core.geometry.pinhole import back_project, project
from core.models.points.lk import LucasKanade
from core.models.roles import PointTracks
from core.points.queries import queries_from_masks
from core.points.settings import QuerySettings
from core.rgbd.clip import Clip, ClipView

NOTHING = np.zeros((0, 4))


def _track(clip: Clip, queries: np.ndarray, **view: object) -> PointTracks:
    return LucasKanade().track(ClipView(clip, **view), queries, NOTHING, lambda *_: None)  # type: ignore[arg-type]


def _queries(clip: Clip, most: int = 60, frames_after: int = 0) -> np.ndarray:
    settings_ = QuerySettings(frames_before=0, frames_after=frames_after, max_points_per_frame=most)
    return queries_from_masks(clip, clip.info.instances[0], settings_).points.astype(float)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A still scene, two cameras that move."""
    arrays = walls(2, 12)
    return unpacked(tmp_path_factory.mktemp("still") / "clip", arrays, box_masks(arrays))


def test_points_of_a_still_scene_stay_where_they_are(still: Clip) -> None:
    queries = _queries(still)
    found = _track(still, queries)
    away = np.linalg.norm(found.xyz - queries[:, 1:], axis=-1)
    assert found.visible.mean() > 0.95
    assert np.median(away[-1]) < 0.01  # 1 cm, 5 m away
    assert np.percentile(away, 95) < 0.05


@pytest.mark.parametrize("velocity", [(1.3, 0.4), (-3.7, 2.1)])
def test_points_that_move_are_followed(tmp_path: Path, velocity: tuple[float, float]) -> None:
    arrays = moving_plane(10, velocity)
    clip = unpacked(tmp_path / "clip", arrays, box_masks(arrays, box=(slice(50, 70), slice(70, 90))))
    queries = _queries(clip)
    found = _track(clip, queries)
    start, _ = project(queries[:, 1:], clip.intrinsics[0, 0], clip.cam_from_world[0, 0])
    for frame in range(10):
        xy, depth = project(found.xyz[frame].astype(float), clip.intrinsics[0, 0], clip.cam_from_world[0, 0])
        np.testing.assert_allclose(depth, 2.0, atol=1e-4)
        off = np.linalg.norm(xy - start - frame * np.array(velocity), axis=1)[found.visible[frame]]
        assert np.median(off) < 0.3, frame
    assert found.visible.mean() > 0.95


def test_a_point_behind_something_waits_unseen_and_is_found_again(tmp_path: Path) -> None:
    arrays = moving_plane(9, (0.0, 0.0))
    front = moving_plane(1, (7.0, 3.0))["rgbs"][0, 0][:, :60, :80][:, ::-1]
    rgbs, depths = arrays["rgbs"].copy(), arrays["depths"].copy()
    for frame in (3, 4, 5):
        rgbs[0, frame, :, 30:90, 40:120], depths[0, frame, 0, 30:90, 40:120] = front, 1.0
    clip = unpacked(
        tmp_path / "clip",
        {**arrays, "rgbs": rgbs, "depths": depths},
        box_masks(arrays, box=(slice(55, 65), slice(70, 90))),
    )
    queries = _queries(clip)
    found = _track(clip, queries)
    assert found.visible[[0, 1, 2, 6, 7, 8]].mean() > 0.95
    assert not found.visible[3:6].any()
    assert found.valid.all()
    assert np.linalg.norm(found.xyz - queries[:, 1:], axis=-1).max() < 0.02


def test_before_its_frame_a_point_is_not_valid_which_is_not_occluded(still: Clip) -> None:
    queries = _queries(still, 20, frames_after=3)
    found = _track(still, queries)
    started = queries[:, 0].astype(int)
    np.testing.assert_array_equal(found.valid, np.arange(12)[:, None] >= started)
    np.testing.assert_array_equal(np.isnan(found.xyz).all(-1), ~found.valid)
    assert not (found.visible & ~found.valid).any()
    own = found.xyz[started, np.arange(len(started))]
    np.testing.assert_array_equal(own, queries[:, 1:].astype(np.float32))


@given(st.integers(0, 2**16), st.integers(1, 80))
@settings(max_examples=8)
def test_any_part_of_the_points_comes_out_the_same_to_the_bit(still: Clip, seed: int, count: int) -> None:
    queries = _queries(still, 40, frames_after=1)
    whole = _track(still, queries)
    chosen = np.random.default_rng(seed).permutation(len(queries))[:count]
    part = _track(still, queries[chosen])
    assert part.xyz.tobytes() == np.ascontiguousarray(whole.xyz[:, chosen]).tobytes()
    np.testing.assert_array_equal(part.visible, whole.visible[:, chosen])


def test_fewer_frames_and_smaller_pictures(still: Clip) -> None:
    queries = _queries(still, 30)
    found = _track(still, queries, temporal_stride=3, size=(160, 120))
    assert found.xyz.shape == (4, len(queries), 3)
    assert np.median(np.linalg.norm(found.xyz[-1] - queries[:, 1:], axis=-1)) < 0.03


def test_sparse_depth_is_enough(tmp_path: Path) -> None:
    arrays = walls(1, 8)
    depths = arrays["depths"] * (np.random.default_rng(0).random(arrays["depths"].shape) < 0.3)
    clip = unpacked(tmp_path / "clip", {**arrays, "depths": depths.astype(np.float32)}, box_masks(arrays))
    found = _track(clip, queries := _queries(clip))
    assert found.visible.mean() > 0.9
    assert np.median(np.linalg.norm(found.xyz[-1] - queries[:, 1:], axis=-1)) < 0.03


def test_two_cameras_follow_what_one_loses(tmp_path: Path) -> None:
    """The first camera turns black; the second, in which points were never started, goes on with them."""
    arrays = walls(2, 10)
    rgbs, depths = arrays["rgbs"].copy(), arrays["depths"].copy()
    rgbs[0, 5:], depths[0, 5:] = 0, 0
    both = unpacked(
        tmp_path / "both", {**arrays, "rgbs": rgbs, "depths": depths}, box_masks(arrays), {"instance_0": {"cam0": 0}}
    )
    found = _track(both, queries := _queries(both))
    assert found.visible[-1].mean() > 0.9
    assert np.median(np.linalg.norm(found.xyz[-1] - queries[:, 1:], axis=-1)) < 0.03


def test_points_outside_every_picture_are_valid_and_unseen(still: Clip) -> None:
    behind = back_project(
        np.array([[10.0, 10.0]]), np.array([-2.0]), still.intrinsics[0, 0], still.cam_from_world[0, 0]
    )
    queries = np.column_stack([[0.0, 0.0], np.concatenate([behind, [[500.0, 0.0, 6.0]]])])
    found = _track(still, queries)
    assert not found.visible.any()
    np.testing.assert_array_equal(found.xyz[-1], queries[:, 1:].astype(np.float32))


def test_points_at_the_border_are_seen_in_their_own_frame(tmp_path: Path) -> None:
    arrays = walls(1, 3)
    edge = box_masks(arrays, box=(slice(0, 2), slice(0, 320)))
    clip = unpacked(tmp_path / "clip", arrays, edge)
    assert _track(clip, _queries(clip)).visible[0].all()


def test_one_frame_is_a_clip_too(tmp_path: Path) -> None:
    arrays = walls(1, 1)
    clip = unpacked(tmp_path / "clip", arrays, box_masks(arrays))
    found = _track(clip, queries := _queries(clip, 5))
    np.testing.assert_array_equal(found.xyz[0], queries[:, 1:].astype(np.float32))
    assert found.visible.all()
