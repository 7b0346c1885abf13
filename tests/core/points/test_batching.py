from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rgbd_clips import box_masks, walls, write_documented

from core.errors import BadMedia, RefusedInput
from core.points.batching import split_indices, support_indices
from core.points.npz_files import (
    create_batch_npzs,
    get_batch_info_from_npz,
    get_mask_instance_ids,
    split_npz_by_instances,
    split_query_points_into_batches,
    verify_batch_npzs,
)
from core.points.settings import Strategy

strategies: st.SearchStrategy[Strategy] = st.sampled_from(["temporal", "spatial", "random"])


def _points(seed: int, count: int, frames: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.integers(0, frames, count), rng.normal(size=(count, 3))]).astype(np.float32)


@given(st.integers(0, 99), st.integers(0, 400), st.integers(1, 6), st.integers(1, 120), strategies)
def test_batches_are_an_exact_partition_and_never_above_the_limit(
    seed: int, count: int, frames: int, limit: int, strategy: Strategy
) -> None:
    points = _points(seed, count, frames)
    batches = split_indices(points, limit, strategy, seed)
    assert sorted(np.concatenate([[], *batches]).tolist()) == list(range(count))
    assert all(0 < len(batch) <= limit for batch in batches)
    again = split_indices(points, limit, strategy, seed)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]
    restored = np.empty_like(points)
    for batch in batches:
        restored[batch] = points[batch]
    np.testing.assert_array_equal(restored, points)


@given(st.integers(0, 99), st.integers(1, 300), st.integers(1, 100), st.sampled_from(["spatial", "random"]))
def test_spatial_and_random_batches_are_as_few_and_as_even_as_can_be(
    seed: int, count: int, limit: int, strategy: Strategy
) -> None:
    sizes = [len(batch) for batch in split_indices(_points(seed, count, 3), limit, strategy, seed)]
    assert len(sizes) == -(-count // limit)
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(0, 99), st.integers(1, 300), st.integers(1, 5), st.integers(1, 100))
def test_temporal_batches_keep_frames_together_while_they_fit(seed: int, count: int, frames: int, limit: int) -> None:
    points = _points(seed, count, frames)
    batches = split_indices(points, limit, "temporal")
    for frame in range(frames):
        own = np.flatnonzero(points[:, 0] == frame)
        homes = {number for number, batch in enumerate(batches) if np.isin(own, batch).any()}
        assert len(homes) <= max(1, -(-len(own) // limit))
    firsts = [points[batch, 0].min() for batch in batches]
    assert firsts == sorted(firsts)


def test_a_frame_too_large_is_dealt_out_so_that_each_batch_sees_the_whole_object() -> None:
    rows, columns = np.mgrid[:40, :50]
    points = np.column_stack([np.zeros(2000), columns.ravel(), rows.ravel(), np.ones(2000)]).astype(np.float32)
    for batch in split_indices(points, 500, "temporal"):
        assert np.ptp(points[batch, 1]) > 45
        assert np.ptp(points[batch, 2]) > 35
    for batch in split_indices(points, 500, "spatial"):
        assert points[batch, 1:3].std(0).prod() < 0.5 * points[:, 1:3].std(0).prod()


@given(st.integers(0, 99), st.integers(1, 100), st.integers(0, 20))
def test_support_is_spread_over_the_points_and_the_same_each_time(seed: int, count: int, wanted: int) -> None:
    points = _points(seed, count, 3)
    chosen = support_indices(points, wanted)
    assert len(set(chosen.tolist())) == len(chosen) == min(wanted, count)
    same = np.repeat(points[:1], 5, axis=0)
    assert support_indices(same, wanted).tolist() == [0][:wanted]
    np.testing.assert_array_equal(chosen, support_indices(points, wanted))


@pytest.mark.parametrize(("limit", "strategy"), [(0, "temporal"), (-1, "random"), (5, "alphabetical")])
def test_nonsense_is_refused(limit: int, strategy: Strategy) -> None:
    with pytest.raises(RefusedInput):
        split_indices(_points(0, 10, 2), limit, strategy)


def test_the_documented_names_work_as_in_the_document(tmp_path: Path) -> None:
    arrays = walls(1, 3)
    scene = write_documented(tmp_path / "scene_query.npz", arrays, box_masks(arrays, ("instance_0", "instance_1")))
    query_points = _points(0, 1000, 3)
    batches = split_query_points_into_batches(query_points=query_points, max_points_per_batch=300, strategy="temporal")
    files = create_batch_npzs(
        input_npz=scene, query_points_batches=batches, output_dir=tmp_path / "batches", base_name="scene_query"
    )
    assert [path.name for path in files] == [f"scene_query_batch_{n}.npz" for n in range(len(batches))]
    verify_batch_npzs(files, query_points)
    for number, path in enumerate(files):
        with np.load(path, allow_pickle=True) as found:  # our own file: everything in it is known
            np.testing.assert_array_equal(found["query_points"], batches[number])
            np.testing.assert_array_equal(found["rgbs"], arrays["rgbs"])
            assert sorted(found["sam2_masks"].item()) == ["instance_0", "instance_1"]
            assert (int(found["batch_index"]), int(found["total_batches"])) == (number, len(files))
        assert get_batch_info_from_npz(path)["num_points"] == len(batches[number])
    with pytest.raises(BadMedia, match="are not the 999 expected"):
        verify_batch_npzs(files, query_points[:-1])
    with pytest.raises(BadMedia, match="batch 1 of"):
        verify_batch_npzs(files[1:], query_points)


def test_instances_as_files_of_their_own(tmp_path: Path) -> None:
    arrays = walls(1, 2)
    masks = box_masks(arrays, ("mug", "../../evil"))
    scene = write_documented(tmp_path / "scene.npz", arrays, masks, {"mug": {"cam0": 1}})
    assert get_mask_instance_ids(scene) == ["../../evil", "mug"]
    files = split_npz_by_instances(scene, tmp_path / "split")
    assert sorted(path.name for path in (tmp_path / "split").iterdir()) == sorted(path.name for path in files)
    assert all(path.parent == tmp_path / "split" for path in files)
    with np.load(tmp_path / "split/scene_mug.npz") as found:
        np.testing.assert_array_equal(found["sam2_masks/mug"], masks["mug"])
        assert str(found["instance_id"]) == "mug"
        assert str(found["original_file"]) == "scene.npz"
        assert str(found["sam2_contact_frames"]) == '{"mug": {"cam0": 1}}'
    assert get_mask_instance_ids(tmp_path / "split/scene_mug.npz") == ["mug"]
