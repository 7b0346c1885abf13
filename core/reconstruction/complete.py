"""What the merged model gains from all matches: frames that no window placed, points across windows."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from core.geometry.colmap import pycolmap
from core.reconstruction.database import write_database
from core.reconstruction.mapping import mapping_options
from core.reconstruction.settings import CameraSettings, FrameRequest, MatchFile


def complete(
    model: pycolmap.Reconstruction,
    frames: Sequence[FrameRequest],
    camera: CameraSettings,
    matches: Sequence[MatchFile],
) -> None:
    """Register the frames that are missing, then triangulate, continue and merge tracks over all verified matches.

    COLMAP's incremental mapper, gone on from the model, which is changed in place. Windows see only matches within
    them; here those across windows, loops among them, become common points, which bundle adjustment then uses.
    """
    options = mapping_options()
    mapper_options, triangulation = options.get_mapper(), options.get_triangulation()
    with tempfile.TemporaryDirectory(prefix="maskflow-") as folder:
        path = Path(folder) / "database.db"
        write_database(path, frames, camera, matches)
        with pycolmap.Database.open(path) as database:
            cache = pycolmap.DatabaseCache.create(database, pycolmap.DatabaseCacheOptions())
        mapper = pycolmap.IncrementalMapper(cache)
        mapper.begin_reconstruction(model)
        while True:
            for image_id in mapper.find_next_images(mapper_options, structure_less=False):
                if mapper.register_next_image(mapper_options, image_id):
                    mapper.triangulate_image(triangulation, image_id)
                    break
            else:
                break
        mapper.complete_and_merge_tracks(triangulation)
        mapper.retriangulate(triangulation)
        mapper.filter_points(mapper_options)
        mapper.end_reconstruction(False)
