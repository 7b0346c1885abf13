from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UnsafeFile
from core.formats.tracked_npz import Setting, Tracked, read_tracked, write_tracked
from core.points.batching import split_indices
from core.points.merging import merge_batches, splitting_effect

SETTING = Setting(np.arange(4), np.zeros((1, 4, 3, 3)), np.zeros((1, 4, 3, 4)), ("a",), "lk", 1, 1)


def _tracked(seed: int, count: int) -> Tracked:
    rng = np.random.default_rng(seed)
    points = np.column_stack([rng.integers(0, 4, count), rng.normal(size=(count, 3))]).astype(np.float32)
    valid = np.arange(4)[:, None] >= points[:, 0]
    xyz = np.where(valid[..., None], rng.normal(size=(4, count, 3)), np.nan).astype(np.float32)
    return Tracked(xyz, valid & (rng.random((4, count)) < 0.5), valid, points, np.arange(count))


def _write(folder: Path, tracked: Tracked, batches: list[np.ndarray]) -> list[Path]:
    files = [folder / f"{number}.npz" for number in range(len(batches))]
    for path, batch in zip(files, batches, strict=True):
        write_tracked(path, tracked.part(batch), SETTING)
    return files


@given(st.integers(0, 99), st.integers(1, 60), st.integers(1, 20), st.sampled_from(["temporal", "spatial", "random"]))
def test_batches_merged_are_what_was_split(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, limit: int, strategy: str
) -> None:
    tracked = _tracked(seed, count)
    batches = split_indices(tracked.query_points, limit, strategy, seed)  # type: ignore[arg-type]
    merged = merge_batches(tracked.query_points, _write(tmp_path_factory.mktemp("b"), tracked, batches))
    for name in Tracked.__dataclass_fields__:
        assert getattr(merged, name).tobytes() == getattr(tracked, name).tobytes(), name


def test_a_point_missing_or_twice_or_another_is_refused(tmp_path: Path) -> None:
    tracked = _tracked(0, 20)
    first, second = np.arange(10), np.arange(10, 20)
    files = _write(tmp_path, tracked, [first, second])
    for wrong in ([files[0]], [*files, files[0]], []):
        with pytest.raises(UnsafeFile, match="not in exactly one batch"):
            merge_batches(tracked.query_points, wrong)
    with pytest.raises(UnsafeFile, match="its points are not the instance's"):
        merge_batches(tracked.query_points + 1, files)


def test_files_hold_what_was_written(tmp_path: Path) -> None:
    tracked = _tracked(1, 5)
    write_tracked(tmp_path / "a.npz", tracked, SETTING, refinement_stats="{}")
    again = read_tracked(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.tracks_3d, tracked.tracks_3d)
    with np.load(tmp_path / "a.npz") as found:  # no pickles
        assert found["tracks_3d"].shape == (4, 5, 3)
        assert str(found["refinement_stats"]) == "{}"
        assert found["camera_ids"].tolist() == ["a"]
        assert "timestamps" not in found


def test_arrays_of_different_lengths_are_no_tracks() -> None:
    one = _tracked(0, 5)
    with pytest.raises(ValueError, match="different lengths"):
        Tracked(one.tracks_3d, one.visibilities[:, :4], one.valid, one.query_points, one.point_index)


def test_what_splitting_changes_is_how_far_support_points_are_from_their_mean(tmp_path: Path) -> None:
    tracked = _tracked(2, 4)
    support = np.zeros((4, 3, 3), np.float32)
    support[0, 0] = np.nan  # before its frame
    places = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [3, 0, 0, 0]], np.float32)
    for number, shift in enumerate((-0.01, 0.01)):
        moved = support + np.array([shift, 0, 0], np.float32)
        moved[places[:, 0].astype(int), np.arange(3)] = 0  # in its own frame, each is where it is
        more = {"support_points": places, "support_tracks_3d": moved}
        write_tracked(tmp_path / f"{number}.npz", tracked, SETTING, **more)
    effect = splitting_effect([tmp_path / "0.npz", tmp_path / "1.npz"])
    assert effect is not None
    assert effect["median_m"] == pytest.approx(0.01)
    assert effect["p90_m"] == pytest.approx(0.01)
    write_tracked(tmp_path / "2.npz", tracked, SETTING)
    assert splitting_effect([tmp_path / "2.npz"] * 2) is None
    assert splitting_effect([tmp_path / "0.npz"]) is None
