"""A merged model as a Rerun recording: points, cameras, windows in their colours."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import rerun as rr
import rerun.blueprint as rrb

from core.errors import BadMedia
from core.formats.rerun_file import recording_file, side_by_side
from core.geometry.colmap import pycolmap
from core.masks.draw import colour
from core.video.image_file import read_image

_MOST_POINTS = 200_000
_PICTURE_SIDE, _JPEG_QUALITY = 480, 80


def record_reconstruction(
    path: Path,
    model: pycolmap.Reconstruction,
    windows: Mapping[int, Sequence[int]],
    pictures: Mapping[str, Path] = MappingProxyType({}),
) -> None:
    """Write a recording. (Rerun numbers its chunks anew each time: the bytes differ from run to run.)

    `world/points` has the points in their own colours, `world/path` the camera's way, `world/windows/N` the cameras of
    each window in the window's colour; on the timeline `frame`, `world/camera` goes from frame to frame, with its
    picture.

    Args:
        path: the `.rrd` to make.
        model: merged.
        windows: image ids of each window's frames.
        pictures: file of each image, by its name in the model; those that cannot be read are left out.
    """
    names = [model.image(i).name for i in sorted(model.reg_image_ids())]
    identity = hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]
    with recording_file(path, identity, _layout()) as recording:
        recording.log("world", rr.ViewCoordinates.RIGHT_HAND_Y_DOWN, static=True)
        ids = sorted(model.point3D_ids())
        ids = ids[:: max(1, -(-len(ids) // _MOST_POINTS))]
        points = [model.point3D(i) for i in ids]
        xyz, colours = np.array([p.xyz for p in points]), np.array([p.color for p in points], np.uint8)
        recording.log("world/points", rr.Points3D(xyz.reshape(-1, 3), colors=colours.reshape(-1, 3)), static=True)
        for number, image_ids in windows.items():
            centres = [model.image(i).projection_center() for i in image_ids if model.exists_image(i)]
            if centres:
                entity = f"world/windows/{number:03d}"
                recording.log(entity, rr.LineStrips3D([np.array(centres)], colors=[colour(number + 1)]), static=True)
                recording.log(f"{entity}/cameras", rr.Points3D(centres, colors=[colour(number + 1)]), static=True)
        path_xyz = np.array([model.image(i).projection_center() for i in sorted(model.reg_image_ids())])
        recording.log("world/path", rr.LineStrips3D([path_xyz], colors=[(128, 128, 128)]), static=True)
        for image_id in sorted(model.reg_image_ids()):
            _log_camera(recording, model, image_id, pictures.get(model.image(image_id).name))


def _layout() -> rrb.Blueprint:
    """The model large, what the camera of the frame sees beside it."""
    model = rrb.Spatial3DView(origin="world", name="model")
    return side_by_side(model, rrb.Spatial2DView(origin="world/camera", name="frame"), (3, 2), "frame")


def _log_camera(
    recording: rr.RecordingStream, model: pycolmap.Reconstruction, image_id: int, picture: Path | None
) -> None:
    image = model.image(image_id)
    camera = model.camera(image.camera_id)
    cam_from_world = image.cam_from_world()
    recording.set_time("frame", sequence=image_id - 1)
    recording.log(
        "world/camera",
        rr.Transform3D(
            translation=cam_from_world.translation,
            mat3x3=cam_from_world.rotation.matrix(),
            relation=rr.TransformRelation.ChildFromParent,
        ),
    )
    # The picture is in pixels of the pinhole camera: both are made smaller together.
    scale = min(1.0, _PICTURE_SIDE / max(camera.width, camera.height))
    size = (max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))
    intrinsics = np.diag([size[0] / camera.width, size[1] / camera.height, 1.0]) @ camera.calibration_matrix()
    recording.log(
        "world/camera",
        rr.Pinhole(image_from_camera=intrinsics, resolution=list(size), camera_xyz=rr.ViewCoordinates.RDF),
    )
    if picture is not None:
        try:
            pixels = cv2.resize(read_image(picture, upright=False), size, interpolation=cv2.INTER_AREA)
        except (BadMedia, OSError):  # changed since the model was made
            return
        recording.log("world/camera", rr.Image(pixels).compress(jpeg_quality=_JPEG_QUALITY))
    recording.log("world/camera/name", rr.TextLog(image.name))
