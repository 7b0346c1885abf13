"""Windows and merged models against known cameras, beside plain pycolmap over all frames at once.

`python -m benchmarks.reconstruction` runs Strecha's photographs and the documented small case (20 frames, windows
of 8 every 4); `python -m benchmarks.reconstruction long` 150 frames in windows of 30 every 15 (minutes);
`python -m benchmarks.reconstruction turntable` rendered boxes that turn before cameras of several focal lengths;
`python -m benchmarks.reconstruction sharing` features and matches shared by windows against made anew for each.
"""

import os
import sys

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"  # as in a device worker on two cores

import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

from benchmarks.common import need_data  # noqa: E402
from benchmarks.reconstruction_common import (  # noqa: E402
    MAX_FEATURES,
    MAX_SIDE,
    OVERLAP,
    Reconstruction,
    Set,
    kitchen,
    reconstruct,
    row,
    strecha,
    turntable,
)
from core.formats.alignment_json import ReferenceErrors  # noqa: E402
from core.geometry.colmap import pycolmap  # noqa: E402
from core.reconstruction.database import write_database  # noqa: E402
from core.reconstruction.features import Features  # noqa: E402
from core.reconstruction.matching import mutual_matches  # noqa: E402
from core.reconstruction.reference import align_with_reference  # noqa: E402
from core.reconstruction.settings import CameraSettings, FrameRequest, MatchFile  # noqa: E402
from core.reconstruction.windowing import sequential_pairs, sliding_windows  # noqa: E402


def all_at_once(frames: Set, folder: Path) -> tuple[ReferenceErrors | None, float]:
    """Pycolmap's own pipeline: SIFT, exhaustive matching, incremental mapping, its defaults."""
    started = time.perf_counter()
    database = folder / "plain.db"
    names = [image.name for image in frames.images]
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.max_image_size, extraction.sift.max_num_features = MAX_SIDE, MAX_FEATURES
    extraction.use_gpu = False
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = "SIMPLE_PINHOLE"
    images = frames.images[0].parent
    single = pycolmap.CameraMode.SINGLE
    pycolmap.extract_features(database, images, names, single, reader, extraction, pycolmap.Device.cpu)
    pycolmap.match_exhaustive(database, device=pycolmap.Device.cpu)
    return _map(frames, database, folder), time.perf_counter() - started


def mapped_at_once(frames: Set, run: Reconstruction, folder: Path) -> tuple[ReferenceErrors | None, float]:
    """Pycolmap's incremental mapper with its defaults, on our features and matches: matching all takes minutes."""
    started = time.perf_counter()
    database = folder / "plain.db"
    camera = CameraSettings(model="SIMPLE_PINHOLE", shared=True, focal=1.2)
    requests = [FrameRequest.model_validate(frame) for frame in run.frames]
    write_database(database, requests, camera, [MatchFile.model_validate(file) for file in run.matches])
    with pycolmap.Database.open(database) as opened:
        known = opened.read_camera(1)
        known.has_prior_focal_length = False
        opened.update_camera(known)
    return _map(frames, database, folder), time.perf_counter() - started


def _map(frames: Set, database: Path, folder: Path) -> ReferenceErrors | None:
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed = 0
    options.extract_colors = False
    options.min_model_size = 3
    models = pycolmap.incremental_mapping(database, frames.images[0].parent, folder, options)
    if not models:
        print("| all at once | none |")
        return None
    model = max(models.values(), key=lambda one: one.num_reg_images())
    model.update_point_3d_errors()
    found: ReferenceErrors | None = align_with_reference(model, frames.reference).get("reference")
    row("all at once", model.num_reg_images(), len(frames.images), model.compute_mean_reprojection_error(), found)
    return found


def compare(frames: Set, window: int, stride: int, own_matches: bool) -> None:
    """Print the table of one set."""
    print(f"\n{frames.name}: windows of {window} every {stride}\n")
    print("| model | frames | reprojection | position RMSE | rotation, mean |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as plain:
        run, merged, seconds = reconstruct(frames, window, stride, Path(ours))
        if own_matches:
            beside, plain_s = mapped_at_once(frames, run, Path(plain))
        else:
            beside, plain_s = all_at_once(frames, Path(plain))
        if beside is not None and merged["reference"] is not None:
            ratio = merged["reference"]["position_rmse"] / beside.position_rmse
            print(f"\nposition error, merged to all at once: {ratio:.2f}; {seconds:.0f} s and {plain_s:.0f} s")


def sharing(frames: Set, window: int, stride: int) -> None:
    """Features and matches once for all windows, against once for each window; and our matcher against pycolmap's."""
    count = len(frames.images)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        shared = Reconstruction(frames.images, Path(folder))
        shared.extract(range(count))
        pairs = sequential_pairs(count, OVERLAP, window)
        shared.match(pairs)
        once = time.perf_counter() - started
        started = time.perf_counter()
        tried = 0
        for one in sliding_windows(count, window, stride):
            own = Reconstruction(frames.images, Path(folder))
            own.extract(one)
            inside = sequential_pairs(len(one), OVERLAP, window)
            own.match(inside)
            tried += len(inside)
        again = time.perf_counter() - started
        print(
            f"\n{frames.name}, windows of {window} every {stride}: shared {once:.1f} s ({len(pairs)} pairs), ", end=""
        )
        print(f"for each window {again:.1f} s ({tried} pairs): {again / once:.2f} times faster")
        _matchers(shared)


def _matchers(run: Reconstruction) -> None:
    one, other = (Features.read(Path(run.frames[n]["features"])) for n in (0, 1))
    started = time.perf_counter()
    ours = mutual_matches(one.descriptors.astype("float32"), other.descriptors.astype("float32"))
    our_s = time.perf_counter() - started
    matcher = pycolmap.FeatureMatcher.create(pycolmap.FeatureMatchingOptions(), pycolmap.Device.cpu)
    sides = [
        (
            pycolmap.keypoints_from_matrix(side.keypoints),
            pycolmap.FeatureDescriptors(type=pycolmap.FeatureExtractorType.SIFT, data=side.descriptors),
        )
        for side in (one, other)
    ]
    started = time.perf_counter()
    theirs = matcher.match(*sides[0], *sides[1])
    their_s = time.perf_counter() - started
    same = {tuple(pair) for pair in ours.tolist()} == {tuple(pair) for pair in theirs.tolist()}
    print(f"one pair: {1000 * our_s:.0f} ms, pycolmap's matcher {1000 * their_s:.0f} ms ", end="")
    print(f"({their_s / our_s:.0f} times); the same matches: {same}")


def main() -> None:
    """Run what the command line names."""
    need_data()
    what = sys.argv[1] if len(sys.argv) > 1 else "short"
    with tempfile.TemporaryDirectory() as folder:
        if what == "short":
            for name in ("fountain-P11", "Herz-Jesus-P8"):
                compare(strecha(name, Path(folder)), 5 if name.startswith("Herz") else 8, 3, own_matches=False)
            compare(kitchen(Path(folder), 20, step=5, start=40), 8, 4, own_matches=True)
        elif what == "long":
            compare(kitchen(Path(folder), 150), 30, 15, own_matches=True)
        elif what == "turntable":
            for focal in (0.7, 1.6, 2.4, 3.5):
                compare(turntable(Path(folder), focal), 8, 4, own_matches=False)
        elif what == "sharing":
            sharing(kitchen(Path(folder), 20, step=5, start=40), 8, 4)
            sharing(kitchen(Path(folder), 60, step=2), 8, 4)
        else:
            raise SystemExit(f"{what}: short, long, turntable or sharing")


if __name__ == "__main__":
    main()
