"""COLMAP's mappers on the features and matches of a window: incremental, global, or whichever places more frames."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.geometry.colmap import pycolmap
from core.reconstruction.database import write_database
from core.reconstruction.settings import CameraSettings, FrameRequest, Mapper, MatchFile
from core.reconstruction.windowing import Pair

# Video windows move little: COLMAP's defaults (16 and 1.5 degrees) are for photographs taken apart.
_FIRST_PAIR_ANGLE_DEG = 4.0
_LEAST_ANGLE_DEG = 0.5
_MAX_ERROR_PX = 4.0
_LEAST_POINTS = 40
_LEAST_SEEN = 12


@dataclass(frozen=True, eq=False)
class Mapped:
    """What a mapper made of a window: the model, if any, by which mapper, and the matches of each pair."""

    model: pycolmap.Reconstruction | None
    mapper: str
    matches: dict[Pair, int]

    @property
    def usable(self) -> int:
        """Frames that match others: a blank one matches nothing."""
        return _linked(self.matches)


def _linked(matches: dict[Pair, int]) -> int:
    return len({number for pair in matches for number in pair})


def map_window(
    frames: Sequence[FrameRequest],
    camera: CameraSettings,
    matches: Sequence[MatchFile],
    mapper: Mapper,
    max_reproj_error: float,
    on_frame: Callable[[], None] = lambda: None,
) -> Mapped:
    """Solve for poses and points. The camera keeps its focal length: a short window does not determine it.

    `auto` maps incrementally, and globally too where that leaves frames out; more frames win, then more points.
    `on_frame` is called for each frame that is placed.
    """
    with tempfile.TemporaryDirectory(prefix="maskflow-") as folder:
        database = Path(folder) / "database.db"
        counts = write_database(database, frames, camera, matches)
        usable = _linked(counts)
        found: list[tuple[str, pycolmap.Reconstruction]] = []
        if counts and mapper != "global":
            found += [("incremental", model) for model in _incremental(database, Path(folder), usable, on_frame)]
        placed = max((_size(model)[0] for _, model in found), default=0)
        if counts and (mapper == "global" or (mapper == "auto" and placed < usable)):
            found += [("global", model) for model in _global(database, Path(folder))]
        for _, model in found:
            clean(model, max_reproj_error)
        best = max(found, key=lambda pair: _size(pair[1]), default=None)
        if best is None or not is_solved(best[1], usable):
            return Mapped(None, mapper, counts)
        return Mapped(best[1], best[0], counts)


def clean(model: pycolmap.Reconstruction, max_reproj_error: float) -> None:
    """Drop points that are off, and frames that then see too few to be held by."""
    observations = pycolmap.ObservationManager(model)
    observations.filter_all_points3D(min(max_reproj_error, _MAX_ERROR_PX), _LEAST_ANGLE_DEG)
    for image_id in sorted(model.reg_image_ids()):
        if model.image(image_id).num_points3D < _LEAST_SEEN:
            observations.deregister_frame(model.image(image_id).frame_id)


def mapping_options(threads: int = 1) -> pycolmap.IncrementalPipelineOptions:
    """For the incremental mapper: one thread and one seed, so that the same matches give the same model."""
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = options.mapper.num_threads = threads
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = 0
    options.extract_colors = False
    options.min_model_size = 2
    options.max_num_models = 5
    options.ba_refine_focal_length = options.ba_refine_extra_params = False
    options.mapper.abs_pose_refine_focal_length = options.mapper.abs_pose_refine_extra_params = False
    options.mapper.init_min_tri_angle = _FIRST_PAIR_ANGLE_DEG
    options.mapper.filter_min_tri_angle = options.triangulation.min_angle = _LEAST_ANGLE_DEG
    options.mapper.filter_max_reproj_error = _MAX_ERROR_PX
    return options


def _incremental(
    database: Path, folder: Path, frames: int, on_frame: Callable[[], None]
) -> list[pycolmap.Reconstruction]:
    options = mapping_options()
    options.triangulation.ignore_two_view_tracks = frames > 2
    fresh = _fresh(folder, "incremental")
    found = pycolmap.incremental_mapping(database, folder, fresh, options, next_image_callback=on_frame)
    return list(found.values())


def _global(database: Path, folder: Path) -> list[pycolmap.Reconstruction]:
    options = pycolmap.GlobalPipelineOptions()
    options.num_threads = options.mapper.num_threads = 1
    options.random_seed = options.mapper.random_seed = 0
    options.mapper.global_positioning.use_gpu = options.mapper.bundle_adjustment.ceres.use_gpu = False
    options.mapper.bundle_adjustment.refine_focal_length = options.mapper.bundle_adjustment.refine_extra_params = False
    options.mapper.min_tri_angle_deg = options.mapper.retriangulation.min_angle = _LEAST_ANGLE_DEG
    try:
        return list(pycolmap.global_mapping(database, folder, _fresh(folder, "global"), options).values())
    except (ValueError, RuntimeError):  # how it says that it cannot
        return []


def _fresh(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def _size(model: pycolmap.Reconstruction) -> tuple[int, int]:
    return model.num_reg_images(), model.num_points3D()


def is_solved(model: pycolmap.Reconstruction, usable: int) -> bool:
    """Whether a model holds together: enough frames of those that match others (`usable`), and enough points.

    Check it after the last filter, see `clean`: a model can fall apart in bundle adjustment.
    """
    return model.num_reg_images() >= min(3, max(usable, 2)) and model.num_points3D() >= _LEAST_POINTS
