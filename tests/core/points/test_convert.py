from pathlib import Path

import cv2
import numpy as np
import pytest
from rgbd_clips import walls

from core.errors import BadMedia
from core.formats.exchange import results_lines
from core.formats.exchange.model import OBJECT, SeenFrame, SeenObject, VideoResults
from core.formats.rgbd_folder import read_depth, register_depth
from core.masks import rle
from core.points.convert import CameraFiles, convert_rgbd
from core.points.unpack import unpack_clip
from core.rgbd.clip import Clip


def _nothing(*_: object) -> None:
    pass


def _write(folder: Path, arrays: dict[str, np.ndarray], camera: int = 0, scannet: bool = False) -> CameraFiles:
    folder.mkdir(parents=True)
    for number in range(arrays["rgbs"].shape[1]):
        places = {
            kind: folder / kind / f"{number}.{suffix}" if scannet else folder / f"f{number}.{kind}.{suffix}"
            for kind, suffix in (("color", "png"), ("depth", "png"), ("pose", "txt"))
        }
        for place in places.values():
            place.parent.mkdir(exist_ok=True)
        image = arrays["rgbs"][camera, number].transpose(1, 2, 0)
        cv2.imwrite(str(places["color"]), image[..., ::-1])
        cv2.imwrite(str(places["depth"]), np.rint(arrays["depths"][camera, number, 0] * 1000).astype(np.uint16))
        pose = np.linalg.inv(np.vstack([arrays["extrs"][camera, number], [0, 0, 0, 1]]))
        np.savetxt(places["pose"], pose)
    np.savetxt(folder.parent / "lens.txt", arrays["intrs"][camera, 0])
    return CameraFiles(folder, folder.parent / "lens.txt")


def _convert(cameras: list[CameraFiles], folder: Path) -> Clip:
    convert_rgbd(cameras, folder.with_suffix(".npz"), 1000.0, _nothing)
    folder.mkdir()
    unpack_clip(folder.with_suffix(".npz"), "sam2_masks", folder, _nothing)
    return Clip(folder)


@pytest.mark.parametrize("scannet", [False, True])
def test_folders_become_a_clip_with_masks_from_id_maps(tmp_path: Path, scannet: bool) -> None:
    arrays = walls(2, 11)
    cameras = [_write(tmp_path / f"cam {n}", arrays, n, scannet) for n in (0, 1)]
    maps = tmp_path / "maps"
    maps.mkdir()
    ids = np.zeros((240, 320), np.uint8)
    ids[10:20, 30:40], ids[50:60, 70:90] = 3, 12
    cv2.imwrite(str(maps / ("10.png" if scannet else "f10.png")), ids)
    one, other = (CameraFiles(c.folder, c.intrinsics, masks=m) for c, m in zip(cameras, (maps, None), strict=True))
    clip = _convert([one, other], tmp_path / "clip")
    assert clip.info.camera_ids == ["cam-0", "cam-1"]
    assert clip.info.frames == 11
    assert clip.info.instances == ["instance_12", "instance_3"]
    np.testing.assert_array_equal(clip.mask("instance_12", 0, 10), ids == 12)
    assert not clip.mask("instance_12", 1, 10).any()
    np.testing.assert_array_equal(clip.rgb(1, 10), arrays["rgbs"][1, 10].transpose(1, 2, 0))  # natural order
    np.testing.assert_allclose(clip.depth(0, 4), arrays["depths"][0, 4, 0], atol=6e-4)
    np.testing.assert_allclose(clip.cam_from_world, arrays["extrs"], atol=1e-9)
    np.testing.assert_allclose(clip.intrinsics, arrays["intrs"], atol=1e-9)


def test_frames_in_which_a_scanner_lost_its_place_are_left_out(tmp_path: Path) -> None:
    arrays = walls(1, 4)
    camera = _write(tmp_path / "cam", arrays)
    np.savetxt(tmp_path / "cam/f1.pose.txt", np.full((4, 4), -np.inf))
    maps = tmp_path / "maps"
    maps.mkdir()
    cv2.imwrite(str(maps / "f2.png"), np.ones((240, 320), np.uint8))
    clip = _convert([CameraFiles(camera.folder, camera.intrinsics, masks=maps)], tmp_path / "clip")
    assert clip.info.frames == 3
    np.testing.assert_array_equal(clip.rgb(0, 1), arrays["rgbs"][0, 2].transpose(1, 2, 0))
    assert [bool(clip.mask("instance_1", 0, frame).any()) for frame in range(3)] == [False, True, False]


def test_masks_come_from_tracked_videos_too(tmp_path: Path) -> None:
    arrays = walls(1, 3)
    camera = _write(tmp_path / "cam", arrays)
    mask = np.zeros((240, 320), bool)
    mask[5:9, 7:20] = True
    seen = SeenObject(4, "thing", (7, 5, 20, 9), 0.9, rle.encode(mask))
    video = VideoResults("cam", 320, 240, 25.0, lambda: iter([SeenFrame(2, 0.08, (seen,))]), 3, "cam")
    results = tmp_path / "results.jsonl"
    results_lines.write(results, [video])
    clip = _convert([CameraFiles(camera.folder, camera.intrinsics, masks=results)], tmp_path / "clip")
    np.testing.assert_array_equal(clip.mask("thing", 0, 2), mask)
    assert not clip.mask("thing", 0, 0).any()
    for wrong in ("", "{}\n", '{"frames": []}\n' * 2, "nonsense", '{"frames": [{"source_frame": 0, "objects": [{}]}]}'):
        results.write_text(wrong)
        with pytest.raises(BadMedia, match=r"results\.jsonl"):
            _convert([CameraFiles(camera.folder, camera.intrinsics, masks=results)], tmp_path / "other")


def test_depth_of_another_lens_is_moved_to_where_the_colour_camera_sees_it(tmp_path: Path) -> None:
    """A slanted plane, seen by a depth camera of a longer lens in the same place."""
    colour = np.array([[100.0, 0, 79.5], [0, 100, 59.5], [0, 0, 1]])
    longer = np.array([[130.0, 0, 75.5], [0, 130, 61.5], [0, 0, 1]])

    def plane(lens: np.ndarray) -> np.ndarray:
        rows, columns = np.mgrid[:120, :160]
        slope = 1 + 0.3 * (columns - lens[0, 2]) / lens[0, 0] + 0.1 * (rows - lens[1, 2]) / lens[1, 1]
        return np.asarray(3 / slope, np.float32)

    moved, wanted = register_depth(plane(longer), longer, colour), plane(colour)
    known = moved > 0
    assert 0.4 < known.mean() < 0.75  # the colour camera sees more than the depth camera
    assert np.abs(moved - wanted)[known].max() < 0.03


def _lose_all_poses(folder: Path) -> None:
    for path in folder.glob("*.pose.txt"):
        np.savetxt(path, np.full((4, 4), -np.inf))


@pytest.mark.parametrize(
    ("spoil", "reported"),
    [
        (lambda f: (f / "f1.depth.png").unlink(), "no depth of f1"),
        (lambda f: (f / "f1.pose.txt").write_text("1 2 3\n"), r"f1\.pose\.txt: not a matrix of 4x4 or 3x4"),
        (lambda f: (f / "f1.pose.txt").write_text("1 2 3 x\n" * 4), r"f1\.pose\.txt: not a matrix"),
        (lambda f: np.savetxt(f / "f1.pose.txt", 2 * np.eye(4)), "its 3x3 part is no rotation"),
        (_lose_all_poses, "not one frame has a pose"),
        (lambda f: cv2.imwrite(str(f / "f1.depth.png"), np.zeros((240, 320, 3), np.uint8)), "16-bit grey"),
        (lambda f: (f / "f1.color.png").write_bytes(b"no image"), "unreadable image"),
        (lambda f: cv2.imwrite(str(f / "f1.color.png"), np.zeros((20, 30, 3), np.uint8)), "30x20 pixels, the first"),
        (lambda f: [path.unlink() for path in f.glob("*.color.png")], r"no NAME\.color\.jpg"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_nothing_is_left(tmp_path: Path, spoil: object, reported: str) -> None:
    camera = _write(tmp_path / "cam", walls(1, 2))
    spoil(camera.folder)  # type: ignore[operator]
    with pytest.raises(BadMedia, match=reported):
        convert_rgbd([camera], tmp_path / "out" / "clip.npz", 1000.0, _nothing)
    assert not list((tmp_path / "out").iterdir() if (tmp_path / "out").exists() else ())


def test_unknown_depth_is_zero(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "d.png"), np.array([[0, 65535, 1500]], np.uint16))
    np.testing.assert_array_equal(read_depth(tmp_path / "d.png", 1000.0), np.array([[0, 0, 1.5]], np.float32))


def test_instances_are_called_as_what_was_tracked(tmp_path: Path) -> None:
    camera = _write(tmp_path / "cam", walls(1, 2))
    mask = np.zeros((240, 320), bool)
    mask[5:9, 7:20] = True
    seen = tuple(
        SeenObject(number, label, (7, 5, 20, 9), 0.9, rle.encode(mask))
        for number, label in ((1, "red mug"), (2, "cup"), (3, "cup"), (4, OBJECT))
    )
    video = VideoResults("cam", 320, 240, 25.0, lambda: iter([SeenFrame(1, 0.04, seen)]), 2, "cam")
    results = tmp_path / "results.jsonl"
    results_lines.write(results, [video])
    clip = _convert([CameraFiles(camera.folder, camera.intrinsics, masks=results)], tmp_path / "clip")
    assert clip.info.instances == ["cup_2", "cup_3", "instance_4", "red-mug"]
