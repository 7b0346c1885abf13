import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rgbd_clips import (
    BOX,
    box_masks,
    pickled_object,
    unpacked,
    walls,
    write_documented,
    write_plain,
    write_with_pickle,
)  # fmt: skip

from core.errors import MaskflowError, UnsafeFile
from core.formats.clip_npz import read_header
from core.points.axes import check_geometry
from core.points.unpack import unpack_clip
from core.rgbd.clip import Clip, ClipView
from core.store.npz import NpzReader


def _unpack(npz: Path, folder: Path) -> Clip:
    folder.mkdir()
    unpack_clip(npz, "sam2_masks", folder, lambda *_: None)
    return Clip(folder)


def test_both_layouts_give_the_same_clip(tmp_path: Path) -> None:
    arrays = walls(2, 3)
    masks, contact = box_masks(arrays, ("b", "a")), {"a": {"cam1": 2}}
    one = _unpack(write_plain(tmp_path / "p.npz", arrays, masks, contact), tmp_path / "p")
    other = _unpack(write_documented(tmp_path / "d.npz", arrays, masks, contact), tmp_path / "d")
    assert one.info == other.info
    assert one.info.instances == ["a", "b"]
    assert one.info.contact_frames == contact
    for name in sorted(path.name for path in one.folder.iterdir()):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
    np.testing.assert_array_equal(one.rgb(1, 2), arrays["rgbs"][1, 2].transpose(1, 2, 0))
    np.testing.assert_array_equal(one.depth(1, 2), arrays["depths"][1, 2, 0])
    np.testing.assert_array_equal(np.argwhere(one.mask("a", 0, 1))[0], [BOX[0].start, BOX[1].start])


@pytest.mark.parametrize(
    "change",
    [
        lambda a: {"rgbs": a["rgbs"].transpose(0, 1, 3, 4, 2)},
        lambda a: {"rgbs": a["rgbs"].astype(np.float32)},
        lambda a: {"rgbs": np.asfortranarray(a["rgbs"])},
        lambda a: {"depths": a["depths"][:, :, 0]},
        lambda a: {"depths": a["depths"].astype(np.float64)},
        lambda a: {"intrs": a["intrs"][:, 0]},
        lambda a: {"extrs": np.concatenate([a["extrs"], np.tile([[[0, 0, 0, 1.0]]], (1, 3, 1, 1))], -2)},
        lambda a: {"camera_ids": np.array([b"cam0"])},
        lambda a: {"camera_ids": np.array(["cam0"], dtype=object)},
    ],
)
def test_tolerated_forms_are_the_same_clip(tmp_path: Path, change: Any) -> None:
    arrays = walls(1, 3)
    plain = unpacked(tmp_path / "plain", arrays, box_masks(arrays))
    other = unpacked(tmp_path / "other", {**arrays, **change(arrays)}, box_masks(arrays))
    assert other.info == plain.info
    np.testing.assert_array_equal(other.rgb(0, 1), plain.rgb(0, 1))
    np.testing.assert_array_equal(other.depth(0, 1), plain.depth(0, 1))
    np.testing.assert_array_equal(other.intrinsics, plain.intrinsics)
    np.testing.assert_allclose(other.cam_from_world, plain.cam_from_world)


def _changed(name: str, value: Any) -> Any:
    def change(arrays: dict[str, Any]) -> dict[str, Any]:
        arrays[name] = value(arrays[name]) if callable(value) else value
        return arrays

    return change


def _set(at: Any, value: Any) -> Any:
    def change(array: np.ndarray) -> np.ndarray:
        changed = array.copy()
        changed[at] = value
        return changed

    return change


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        (_changed("rgbs", lambda a: a[0]), r"rgbs is uint8 \[3, 3, 240, 320\], expected"),
        (_changed("rgbs", lambda a: a.astype(np.float32) / 255), r"up to 1: multiply them by 255"),
        (_changed("rgbs", lambda a: a.astype(np.float32) * 2), "values from 0 to 510"),
        (_changed("rgbs", lambda a: _set((0, 0, 0, 0, 0), np.nan)(a.astype(np.float32))), "values from nan"),
        (_changed("depths", lambda a: a[:, :2]), r"depths is float32 \[1, 2, 1, 240, 320\], expected"),
        (_changed("depths", lambda a: a * 1000), "metres are expected"),
        (_changed("depths", lambda a: -a), "mostly negative"),
        (_changed("intrs", _set((0, 0, 0, 0), np.nan)), "intrs holds values that are not finite"),
        (_changed("intrs", _set((0, 0, 0, 0), -300)), "no camera matrix"),
        (_changed("intrs", lambda a: a * [[1e-4], [1e-4], [1]]), "focal lengths of .* units"),
        (_changed("intrs", lambda a: a[:, :2]), r"intrs is float64 \[1, 2, 3, 3\]"),
        (_changed("extrs", lambda a: a * 2), "no rotations"),
        (_changed("extrs", _set((0, 1, 0, 3), np.inf)), "extrs holds values that are not finite"),
        (_changed("camera_ids", np.array(["a", "b"])), "camera_ids"),
        (_changed("camera_ids", np.array([{}], dtype=object)), "what is no name"),
        (_changed("camera_ids", np.zeros(10**8, "S0")), "camera_ids"),
        (_changed("intrs", _set((0, 0, 1, 0), 5.0)), "no camera matrix"),
        (_changed("extrs", _set((0, 1, 0, 3), 1e9)), "units"),
        (_changed("depths", np.array([None], dtype=object)), "depths"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(tmp_path: Path, change: Any, reported: str) -> None:
    arrays = walls(1, 3)
    masks = box_masks(arrays)
    with pytest.raises(MaskflowError, match=reported):
        unpacked(tmp_path / "clip", change(dict(arrays)), masks)


@pytest.mark.parametrize("missing", ["rgbs", "depths", "intrs", "extrs"])
def test_a_missing_array_is_named(tmp_path: Path, missing: str) -> None:
    arrays = walls(1, 2)
    with pytest.raises(MaskflowError, match=f"there is no {missing}; it has "):
        unpacked(tmp_path / "clip", {k: v for k, v in arrays.items() if k != missing}, {})


def test_a_few_bad_depths_count_as_unknown_and_are_told(tmp_path: Path) -> None:
    arrays = walls(1, 2)
    depths = arrays["depths"].copy()
    depths[0, 0, 0, :10], depths[0, 0, 0, 10:20], depths[0, 1, 0, :10] = -1.0, np.nan, np.inf
    clip = unpacked(tmp_path / "clip", {**arrays, "depths": depths}, box_masks(arrays))
    assert (clip.depth(0, 0)[:20] == 0).all()
    assert (clip.depth(0, 1)[:10] == 0).all()
    assert [warning.partition(" of")[0] for warning in clip.info.warnings] == ["depths: 2.08%", "depths: 4.17%"]


@pytest.mark.parametrize(
    ("shape", "reported"),
    [
        ((1, 3, 100, 320), "320x100 pixels, of other proportions"),
        ((1, 2, 240, 320), r"is \[1, 2, 240, 320\], expected is \[1, 3, H, W\]"),
        ((3, 240, 320), r"expected is \[1, 3, H, W\]"),
    ],
)
def test_masks_of_another_shape_are_refused(tmp_path: Path, shape: tuple[int, ...], reported: str) -> None:
    masks = {"thing": np.ones(shape, bool)}
    for write in (write_plain, write_documented):
        npz = write(tmp_path / f"{write.__name__}.npz", walls(1, 3), masks)
        with pytest.raises(MaskflowError, match=f"the mask of thing .*{reported}"):
            _unpack(npz, tmp_path / write.__name__)


def test_masks_may_be_smaller_or_larger_than_depth(tmp_path: Path) -> None:
    arrays = walls(1, 2)
    clip = unpacked(tmp_path / "clip", arrays, {"a": np.ones((1, 2, 120, 160), np.uint8)})
    assert clip.mask("a", 0, 0).shape == (120, 160)


def test_code_in_masks_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    class Code:
        def __reduce__(self) -> Any:
            return eval, ("open('hacked', 'w')",)

    for number, content in enumerate(({"a": Code()}, Code())):
        npz = write_with_pickle(tmp_path / f"{number}.npz", walls(1, 2), "sam2_masks", pickled_object(content))
        with pytest.raises(UnsafeFile, match=r"sam2_masks cannot be read: it holds code \(builtins\.eval\)"):
            _unpack(npz, tmp_path / f"clip{number}")
    assert not Path("hacked").exists()


@pytest.mark.parametrize(
    "pickled",
    [
        pickled_object({"a": 1}), pickled_object([1, 2]), pickled_object({1: np.zeros(3)}), pickle.dumps({"a": 1}),
        pickled_object({"a": np.array([{}], dtype=object)}), b"", b"garbage", pickled_object({})[:-3],
    ],
)  # fmt: skip
def test_masks_that_are_no_masks_are_refused(tmp_path: Path, pickled: bytes) -> None:
    npz = write_with_pickle(tmp_path / "a.npz", walls(1, 2), "sam2_masks", pickled)
    with pytest.raises(MaskflowError, match=r"a\.npz"):
        _unpack(npz, tmp_path / "clip")


@pytest.mark.parametrize(
    "contact", [{"a": {"nobody": 0}}, {"a": {"cam0": 9}}, {"a": {"cam0": "x"}}, {"a": 3}, [1], "text"]
)
def test_contact_frames_that_are_not_in_the_clip_are_refused(tmp_path: Path, contact: Any) -> None:
    arrays = walls(1, 2)
    for write in (write_plain, write_documented):
        npz = write(tmp_path / f"{write.__name__}.npz", arrays, box_masks(arrays, ("a",)), contact)
        with pytest.raises(MaskflowError, match=r"sam2_contact_frames|contact frame of a"):
            _unpack(npz, tmp_path / write.__name__)


def test_contact_frames_of_what_has_no_mask_are_passed_over(tmp_path: Path) -> None:
    arrays = walls(1, 2)
    contact = {"ghost": {"nobody": -1}, "a": {"cam0": 1}}
    assert unpacked(tmp_path / "clip", arrays, box_masks(arrays, ("a",)), contact).info.contact_frames == {
        "a": {"cam0": 1}
    }


@pytest.mark.parametrize("mask", [np.full((1, 2, 240, 320), -5.0), np.full((1, 2, 240, 320), "a")])
def test_scores_are_no_masks(tmp_path: Path, mask: np.ndarray) -> None:
    with pytest.raises(MaskflowError, match=r"the mask of thing is .*masks are yes or no"):
        unpacked(tmp_path / "clip", walls(1, 2), {"thing": mask})


def test_one_mask_under_very_many_names_is_refused(tmp_path: Path) -> None:
    """A small file could otherwise fill the disk."""
    mask = np.ones((1, 2, 240, 320), bool)
    content = {str(number): mask for number in range(200)}
    npz = write_with_pickle(tmp_path / "a.npz", walls(1, 2), "sam2_masks", pickled_object(content))
    with pytest.raises(UnsafeFile, match="its masks take more room than the whole file"):
        _unpack(npz, tmp_path / "clip")


def test_what_does_not_fit_on_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.points.unpack._LEFT_FREE_BYTES", 2**60)
    arrays = walls(1, 2)
    with pytest.raises(MaskflowError, match="bytes more on disk"):
        unpacked(tmp_path / "clip", arrays, box_masks(arrays))


def test_a_batchs_file_brings_its_points(tmp_path: Path) -> None:
    arrays = walls(1, 2)
    points = np.array([[0, 0, 0, 6], [1, 0.5, 0, 6]], np.float32)
    batch = {**arrays, "query_points": points, "batch_index": np.array(0)}
    clip = unpacked(tmp_path / "clip", batch, box_masks(arrays))
    assert clip.info.query_points
    assert clip.info.instances == []
    far = {**batch, "query_points": points.astype(float) * 1e300}
    with pytest.raises(MaskflowError, match="no positions in metres"):
        unpacked(tmp_path / "far", far, box_masks(arrays))


def test_timestamps_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    arrays = walls(1, 3)
    clip = unpacked(tmp_path / "clip", {**arrays, "timestamps": np.array([0.0, 2.0, 1.0])}, box_masks(arrays))
    assert clip.info.timestamps is None
    assert "timestamps are not used" in clip.info.warnings[0]


_FLIP = np.diag([1.0, -1.0, -1.0])


def _inverse(poses: np.ndarray) -> np.ndarray:
    back = poses.copy()
    back[..., :3] = poses[..., :3].swapaxes(-1, -2)
    back[..., 3] = -np.einsum("ctji,ctj->cti", poses[..., :3], poses[..., 3])
    return back


@pytest.mark.parametrize(
    ("reading", "reported"),
    [
        (_inverse, r"extrs look like inverted"),
        (lambda poses: _FLIP @ poses, "extrs look like OpenGL's axes"),
        (
            lambda poses: np.concatenate([_inverse(poses)[..., :3] @ _FLIP, _inverse(poses)[..., 3:]], -1),
            "extrs look like world from camera in OpenGL's axes",
        ),
    ],
)
@pytest.mark.parametrize("cameras", [1, 2])
def test_poses_in_another_convention_are_noticed(
    tmp_path: Path, reading: Callable[[np.ndarray], np.ndarray], reported: str, cameras: int
) -> None:
    arrays = walls(cameras, 12, step=0.3)
    assert check_geometry(unpacked(tmp_path / "right", arrays, box_masks(arrays)), "right.npz") == []
    other = unpacked(tmp_path / "other", {**arrays, "extrs": reading(arrays["extrs"])}, box_masks(arrays))
    with pytest.raises(MaskflowError, match=rf"other\.npz: {reported}"):
        check_geometry(other, "other.npz")


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_intrinsics_of_another_resolution_are_noticed(tmp_path: Path, factor: float) -> None:
    arrays = walls(1, 3)
    scaled = arrays["intrs"].copy()
    scaled[..., :2, :] *= factor
    clip = unpacked(tmp_path / "clip", {**arrays, "intrs": scaled}, box_masks(arrays))
    with pytest.raises(MaskflowError, match=rf"scale their first row by {1 / factor:.1g}, the second"):
        check_geometry(clip, "a.npz")


def test_a_crop_has_its_principal_point_where_it_is(tmp_path: Path) -> None:
    arrays = walls(1, 12, step=0.3)
    moved = arrays["intrs"].copy()
    moved[..., 0, 2] -= 120
    moved[..., 1, 2] -= 90
    cropped = {
        **arrays,
        "intrs": moved,
        "depths": arrays["depths"][..., 90:, 120:],
        "rgbs": arrays["rgbs"][..., 90:, 120:],
    }
    masks = {name: mask[..., 90:, 120:] for name, mask in box_masks(arrays).items()}
    assert check_geometry(unpacked(tmp_path / "clip", cropped, masks), "a.npz") == []


def test_views_that_do_not_agree_are_told(tmp_path: Path) -> None:
    arrays = walls(1, 12, step=0.3)
    breathing = np.linspace(1, 2, 12, dtype=np.float32)[:, None, None, None]
    clip = unpacked(tmp_path / "clip", {**arrays, "depths": arrays["depths"] * breathing}, box_masks(arrays))
    assert "agree between views" in check_geometry(clip, "a.npz")[0]


def test_headers_are_read_without_the_pictures(tmp_path: Path) -> None:
    npz = write_plain(tmp_path / "a.npz", {**walls(1, 3), "timestamps": np.array([0.0, 0.1, 0.3])}, {})
    with NpzReader(npz) as reader:
        header = read_header(reader)
    assert (header.frames, header.rgb_size, header.depth_size) == (3, (320, 240), (320, 240))
    assert header.timestamps == [0.0, 0.1, 0.3]


def test_a_view_is_smaller_and_skips_frames(tmp_path: Path) -> None:
    arrays = walls(1, 7)
    clip = unpacked(tmp_path / "clip", arrays, box_masks(arrays))
    view = ClipView(clip, 3, (160, 120))
    assert view.source_frames.tolist() == [0, 3, 6]
    assert view.rgb(0, 1).shape == (120, 160, 3)
    np.testing.assert_array_equal(view.depth(0, 2), clip.depth(0, 6)[1::2, 1::2])
    assert view.intrinsics[0, 0, 0, 2] == (clip.intrinsics[0, 0, 0, 2] + 0.5) / 2 - 0.5
    assert json.loads((clip.folder / "clip.json").read_text())["frames"] == 7
