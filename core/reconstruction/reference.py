"""A model brought into a given frame and scale by reference poses, and judged by them."""

from pathlib import Path
from typing import Any

import numpy as np

from core.formats.alignment_json import FrameError, ReferenceErrors
from core.formats.reference_poses import lost_poses, read_reference_poses
from core.geometry.cameras import Poses, align_poses, pose_errors
from core.geometry.colmap import pycolmap


def align_with_reference(model: pycolmap.Reconstruction, path: Path) -> dict[str, Any]:
    """Move the model into the reference's frame and unit; the fields of `Alignment` that say how far it still is."""
    reference = read_reference_poses(path)
    images = [model.image(image_id) for image_id in sorted(model.reg_image_ids())]
    known = [(image, pose) for image in images if (pose := reference.find(image.name)) is not None]
    notes = lost_poses(path.name, reference)
    if len(known) < 3:
        few = f"{path.name} has poses for {len(known)} of its images, three are needed: not aligned"
        return {"notes": [*notes, few]}
    turned = [pose.rotation for _, pose in known if pose.rotation is not None]
    own = Poses(
        np.array([image.cam_from_world().rotation.matrix().T for image, _ in known]),
        np.array([image.projection_center() for image, _ in known]),
    )
    wanted = Poses(
        np.array(turned) if len(turned) == len(known) else None, np.array([pose.position for _, pose in known])
    )
    try:
        sim3 = align_poses(own, wanted)
    except ValueError as error:
        return {"notes": [*notes, f"not aligned with {path.name}: {error}"]}
    model.transform(pycolmap.Sim3d(sim3.scale, pycolmap.Rotation3d(sim3.rotation), sim3.translation))
    errors = pose_errors(own, wanted, sim3)
    away, turned_deg = errors.position, errors.rotation_deg
    angles = [None] * len(known) if turned_deg is None else turned_deg.tolist()
    return {
        "notes": notes,
        "frame": f"that of {path.name}, in its unit",
        "reference": ReferenceErrors(
            images=len(known),
            scale=sim3.scale,
            position_rmse=float(np.sqrt((away**2).mean())),
            position_median=float(np.median(away)),
            position_max=float(away.max()),
            rotation_mean_deg=None if turned_deg is None else float(turned_deg.mean()),
            rotation_max_deg=None if turned_deg is None else float(turned_deg.max()),
        ),
        "frame_errors": [
            FrameError(name=image.name, position=float(one), rotation_deg=angle)
            for (image, _), one, angle in zip(known, away, angles, strict=True)
        ],
    }
