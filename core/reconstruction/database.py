"""A COLMAP database with the features and matches of some frames, and the camera they share."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from core.geometry.colmap import pycolmap
from core.reconstruction.features import Features
from core.reconstruction.pairs import read_pairs
from core.reconstruction.settings import CameraSettings, FrameRequest, MatchFile
from core.reconstruction.windowing import Pair


def make_camera(settings: CameraSettings, frame: FrameRequest) -> pycolmap.Camera:
    """The camera of a frame, its principal point in the middle."""
    camera_id = 1 if settings.shared else frame.image_id
    focal = settings.focal_px or settings.focal * max(frame.width, frame.height)
    camera = pycolmap.Camera.create_from_model_name(camera_id, settings.model, focal, frame.width, frame.height)
    camera.has_prior_focal_length = True
    return camera


def write_database(
    path: Path, frames: Sequence[FrameRequest], camera: CameraSettings, matches: Iterable[MatchFile]
) -> dict[Pair, int]:
    """Write features and matches of the frames that have any.

    Returns:
        Verified matches of each pair.
    """
    used = [frame for frame in frames if frame.features is not None]
    with pycolmap.Database.open(path) as database, pycolmap.DatabaseTransaction(database):
        for frame in used:
            if not camera.shared or frame is used[0]:
                own = make_camera(camera, frame)
                write_camera(database, own)
            write_image(database, frame, own.camera_id)
            assert frame.features is not None
            database.write_keypoints(frame.image_id, Features.read(frame.features).keypoints)
        return _write_matches(database, {frame.number for frame in used}, matches)


def write_camera(database: pycolmap.Database, camera: pycolmap.Camera) -> None:
    """Write a camera and the rig of its own that COLMAP wants, both under the camera's id."""
    database.write_camera(camera, use_camera_id=True)
    rig = pycolmap.Rig(rig_id=camera.camera_id)
    rig.add_ref_sensor(camera.sensor_id)
    database.write_rig(rig, use_rig_id=True)


def write_image(database: pycolmap.Database, frame: FrameRequest, camera_id: int) -> None:
    """Write a frame's image and the COLMAP frame of its own, both under the image's id."""
    image = pycolmap.Image(name=frame.name, camera_id=camera_id, image_id=frame.image_id)
    database.write_image(image, use_image_id=True)
    posed = pycolmap.Frame(frame_id=frame.image_id, rig_id=camera_id)
    posed.add_data_id(image.data_id)
    database.write_frame(posed, use_frame_id=True)


def _write_matches(database: pycolmap.Database, frames: set[int], matches: Iterable[MatchFile]) -> dict[Pair, int]:
    counts = {}
    for file in matches:
        for pair, geometry in read_pairs(file, frames):
            one, other = pair[0] + 1, pair[1] + 1
            found = pycolmap.TwoViewGeometry(
                config=geometry.config,
                inlier_matches=geometry.matches,
                F=geometry.matrices[0],
                E=geometry.matrices[1],
                H=geometry.matrices[2],
            )
            database.write_matches(one, other, geometry.matches)
            database.write_two_view_geometry(one, other, found)
            counts[pair] = len(geometry.matches)
    return counts
