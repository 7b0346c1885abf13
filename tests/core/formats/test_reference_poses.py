from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from core.errors import BadMedia
from core.formats.reference_poses import read_reference_poses
from core.geometry.colmap import pycolmap

TURN = Rotation.from_euler("xyz", [10, 20, 30], degrees=True)


def test_text_with_and_without_orientation(tmp_path: Path) -> None:
    file = tmp_path / "poses.txt"
    quaternion = " ".join(str(value) for value in 2 * TURN.as_quat())
    file.write_text(f"# name x y z qx qy qz qw\n\na.jpg 1 2 3 {quaternion}\nb.jpg 4 5 6\n")
    found = read_reference_poses(file)
    a, b = found.find("a.jpg"), found.find("b.png")
    assert a is not None
    assert b is not None
    assert a.rotation is not None
    np.testing.assert_allclose(a.rotation, TURN.as_matrix(), atol=1e-12)
    np.testing.assert_array_equal(b.position, [4, 5, 6])
    assert b.rotation is None
    assert found.find("c.jpg") is None


def test_matrices_by_name_up_to_the_first_dot(tmp_path: Path) -> None:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = TURN.as_matrix(), [7, 8, 9]
    np.savetxt(tmp_path / "frame-1.pose.txt", matrix)
    (tmp_path / "notes.txt").write_text("no matrix")
    found = read_reference_poses(tmp_path).find("frame-1.color.jpg")
    assert found is not None
    assert found.rotation is not None
    np.testing.assert_allclose(found.rotation, TURN.as_matrix())
    np.testing.assert_array_equal(found.position, [7, 8, 9])


@pytest.mark.parametrize(
    ("text", "name", "x"),
    [
        ("cam.1.jpg 1 1 1\ncam.2.jpg 2 2 2\n", "cam.2.jpg", 2),
        ("cam.1.jpg 1 1 1\n", "cam.3.jpg", None),
        ("cam.left.jpg 1 0 0\n", "cam.right.jpg", None),
        ("1305031102.175304 1 0 0 0 0 0 1\n1305031102.211214 2 0 0 0 0 0 1\n", "1305031102.211214.png", 2),
        ("1305031102.0 1 0 0 0 0 0 1\n", "1305031102.911214.png", None),
        ("left/a.jpg 1 0 0\nright/a.jpg 2 0 0\n", "a.jpg", None),
        ("left/a.jpg 1 0 0\nright/a.jpg 2 0 0\n", "right/a.jpg", 2),
        ("images/a.jpg 1 0 0\n", "a.jpg", 1),
        ("cam1/a.jpg 1 0 0\n", "cam0/a.jpg", None),
        ("images/cam0/a.jpg 1 0 0\nimages/cam1/a.jpg 2 0 0\n", "cam1/a.jpg", 2),
        ("D:\\x\\a.jpg 1 0 0\n", "a.jpg", 1),
        ("a.jpg 1 0 0 9\nb.jpg 2 0 0\n", "a.jpg", None),
        ("\ufeffa.jpg 1 0 0\n", "a.jpg", 1),
        ("my photo 1.jpg 1 0 0\nmy photo 2.jpg 2 0 0\n", "my photo 2.jpg", 2),
    ],
)
def test_names_are_whole(tmp_path: Path, text: str, name: str, x: float | None) -> None:
    (tmp_path / "poses.txt").write_text(text)
    found = read_reference_poses(tmp_path / "poses.txt").find(name)
    assert (None if found is None else found.position[0]) == x


def test_a_lost_pose_costs_itself(tmp_path: Path) -> None:
    matrix = np.eye(4)
    for number, content in enumerate(
        (matrix, np.full((4, 4), -np.inf), np.diag([1.0, 1, -1, 1]), np.diag([2.0, 2, 2, 1]))
    ):
        np.savetxt(tmp_path / f"{number}.txt", content)
    found = read_reference_poses(tmp_path)
    assert [found.find(f"{number}.jpg") is not None for number in range(4)] == [True, False, False, False]
    for note, why in zip(found.notes, ("lost", "mirrored", "no rotation"), strict=True):
        assert why in note
    (tmp_path / "poses.txt").write_text("a 1 2 3\nb 1 2 x\nc nan 0 0\na 9 9 9\n")
    found = read_reference_poses(tmp_path / "poses.txt")
    assert len(found.notes) == 3
    assert found.find("a.jpg") is not None


def test_a_colmap_model(tmp_path: Path) -> None:
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(
        pycolmap.Camera(model="SIMPLE_PINHOLE", width=10, height=10, params=[10.0, 5.0, 5.0], camera_id=1)
    )
    pose = pycolmap.Rigid3d(pycolmap.Rotation3d(TURN.as_matrix()), np.array([1.0, 2.0, 3.0]))
    model.add_image_with_trivial_frame(pycolmap.Image(name="a.jpg", camera_id=1, image_id=1), pose)
    model.write(tmp_path)
    found = read_reference_poses(tmp_path).find("a.jpg")
    assert found is not None
    assert found.rotation is not None
    np.testing.assert_allclose(found.rotation, TURN.as_matrix().T, atol=1e-12)
    np.testing.assert_allclose(found.position, -TURN.as_matrix().T @ [1, 2, 3], atol=1e-12)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no poses"),
        ("a 1 2\n", "line 1: not a pose"),
        ("b 1 2 x\n", "line 1: not a pose"),
        ("a 1 2 nan\n", "line 1: not a pose"),
        ("a 1 2 3 0 0 0 0\n", "line 1: not a pose"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "poses.txt").write_text(text)
    with pytest.raises(BadMedia, match=reason):
        read_reference_poses(tmp_path / "poses.txt")
    with pytest.raises(BadMedia, match="cannot be read"):
        read_reference_poses(tmp_path / "missing.txt")
