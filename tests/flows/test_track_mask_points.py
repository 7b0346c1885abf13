"""Masks to 3D tracks through the command line: real server, real workers, real kills."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rgbd_clips import box_masks, pickled_object, walls, write_documented, write_plain, write_with_pickle
from running import Done, maskflow
from test_rerun_points import rows

from core.formats.tracked_npz import read_tracked
from flows.cli.main import run

slow = pytest.mark.slow
POINTS = 60 * 90


def _track(npz: Path, output: Path, *more: object, kill_at: str | None = None) -> Done:
    requested = ("--npz", npz, "--output_dir", output, "--use-first-frame", "--num-workers", 1)
    return maskflow("track-mask-points", *requested, *more, kill_at=kill_at)


def _outputs(output: Path) -> dict[str, bytes]:
    """All files but recordings, which number their chunks anew, and pages, which tell how long it took."""
    found = [p for p in output.rglob("*") if p.is_file() and ".maskflow" not in p.parts]
    kept = [path for path in found if path.suffix not in (".rrd", ".html")]
    return {str(path.relative_to(output)): path.read_bytes() for path in kept}


def _clip(path: Path) -> Path:
    """An object, one whose depth is nowhere known, and one with a name that leads elsewhere."""
    arrays = walls(2, 6)
    depths = arrays["depths"].copy()
    depths[..., 0:20, 0:20] = 0
    corner = box_masks(arrays, box=(slice(0, 20), slice(0, 20)))["instance_0"]
    small = box_masks(arrays, box=(slice(100, 110), slice(120, 130)))["instance_0"]
    masks = {**box_masks(arrays, ("mug",)), "no depth": corner, "../../evil": small}
    return write_documented(path, {**arrays, "depths": depths}, masks)


@slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("prefect_server")
def test_split_killed_gone_on_with_and_the_same_as_unsplit(tmp_path: Path) -> None:
    npz = _clip(tmp_path / "my scene.npz")
    split = ("--max-query-points-per-batch", 3000, "--refine", "--motion-method", "max_displacement")
    whole = _track(npz, tmp_path / "whole", *split)
    assert whole.code == 1, whole.err
    assert "Traceback" not in whole.err + whole.out
    _look_at_outputs(tmp_path / "whole")

    killed = _track(npz, tmp_path / "killed", *split, kill_at="core.points.track_item:write_tracked:3")
    assert killed.code == -9
    again = _track(npz, tmp_path / "killed", *split)
    assert again.code == 1, again.err
    batches = [name for name in killed.processed if re.fullmatch(r"mug batch \d of 4", name)]
    assert len(batches) == 3  # the third was under way
    assert not set(batches[:2]) & set(again.processed)
    assert sum(bool(re.fullmatch(r"mug batch \d of 4", name)) for name in again.processed) == 2
    assert _outputs(tmp_path / "killed") == _outputs(tmp_path / "whole")
    one, other = (rows(tmp_path / name / "tracking_lk_combined.rrd") for name in ("whole", "killed"))
    assert one == other

    unsplit = _track(npz, tmp_path / "whole", "--refine", "--motion-method", "max_displacement")
    assert unsplit.code == 1, unsplit.err
    merged = "tracking_lk_mug_tracked.npz"
    assert (tmp_path / "whole" / merged).read_bytes() == (tmp_path / "killed" / merged).read_bytes()
    left = sorted(path.name for path in (tmp_path / "whole").rglob("*mug*") if ".maskflow" not in path.parts)
    assert left == [
        "my-scene_mug_query.npz", "tracking_lk_mug.rrd", "tracking_lk_mug_refined.npz", merged,
    ]  # fmt: skip


def _look_at_outputs(output: Path) -> None:
    assert not [*output.parent.glob("evil*"), *output.parent.parent.glob("evil*")]
    failures = [json.loads(line) for line in (output / "failures.jsonl").read_text().splitlines()]
    assert [one["item"] for one in failures] == ["no depth"]
    assert "none of the mask's 800 pixels can be lifted: 800 without depth" in failures[0]["reason"]
    names = {str(path.relative_to(output)) for path in output.rglob("*") if ".maskflow" not in path.parts}
    batches = {f"tracking_lk_mug_batch_{n}" for n in range(4)}
    assert {f"{name}{end}" for name in batches for end in (".rrd", "_tracked.npz")} <= names
    assert {f"instances/mug_batches/my-scene_mug_query_batch_{n}.npz" for n in range(4)} <= names
    assert {"tracking_lk_mug_tracked.npz", "tracking_lk_mug_refined.npz", "tracking_lk_report.html"} <= names
    assert {"tracking_lk_evil.rrd", "tracking_lk_evil_tracked.npz", "tracking_lk_combined.rrd"} <= names
    tracked = read_tracked(output / "tracking_lk_mug_tracked.npz")
    assert tracked.tracks_3d.shape == (6, len(tracked.query_points), 3)
    assert 2 * POINTS * 0.9 < len(tracked.query_points) <= 2 * POINTS
    assert np.median(np.linalg.norm(tracked.tracks_3d[-1] - tracked.query_points[:, 1:], axis=1)) < 0.02
    with np.load(output / "instances/my-scene_mug_query.npz") as query:
        np.testing.assert_array_equal(query["query_points"], tracked.query_points)
    parts = [np.load(output / f"instances/mug_batches/my-scene_mug_query_batch_{n}.npz") for n in range(4)]
    assert sorted(np.concatenate([part["point_index"] for part in parts])) == list(range(len(tracked.query_points)))
    assert all(len(part["point_index"]) <= 3000 for part in parts)
    for part in parts:
        part.close()
    recorded = rows(output / "tracking_lk_combined.rrd")
    assert recorded["/world/scene/cam0"] == 6
    assert {f"/world/instances/mug/batch_{n}/points" for n in range(4)} <= set(recorded)
    assert "/world/instances/evil/batch_0/points" in recorded
    _look_at_script(output)


def _look_at_script(output: Path) -> None:
    """It shows the combined recording, from wherever it is called."""
    tool = output.parent / "bin" / "rerun"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\nprintf "%s|" "$PWD" "$@"\n')
    tool.chmod(0o755)
    environment = dict(os.environ, PATH=f"{tool.parent}:{os.environ['PATH']}")
    script = output / "view_tracking_lk_combined.sh"
    shown = subprocess.run(["sh", script], env=environment, capture_output=True, text=True, check=True, cwd="/")
    assert shown.stdout == f"{output}|./tracking_lk_combined.rrd|"


@slow
@pytest.mark.usefixtures("prefect_server")
def test_instances_from_files_of_their_own_strided_and_smaller(tmp_path: Path) -> None:
    arrays = walls(1, 8)
    (tmp_path / "split").mkdir()
    scene = write_plain(tmp_path / "scene.npz", arrays, {})
    for name in ("a", "b"):
        write_plain(tmp_path / f"split/scene_{name}.npz", arrays, box_masks(arrays, (name,)))
    points = np.array([[0, 0, 0, 6], [3, 0.1, 0, 6], [7, 0, 0, 6]], np.float32)
    write_plain(tmp_path / "split/scene_own.npz", {**arrays, "query_points": points}, {})
    more = ("--skip-split", "--instances-dir", tmp_path / "split", "--temporal_stride", 3, "--spatial-downsample", 2)
    done = _track(scene, tmp_path / "out", *more, "--base-name", "x", "--max-points-per-frame", 100)
    assert done.code == 0, done.err
    assert "query_points: moved to the nearest frame that trackers see: 1 points" in " ".join(done.err.split())
    for name in ("a", "b"):
        tracked = read_tracked(tmp_path / f"out/x_lk_{name}_tracked.npz")
        assert tracked.tracks_3d.shape == (3, 100, 3)
        assert np.median(np.linalg.norm(tracked.tracks_3d[-1] - tracked.query_points[:, 1:], axis=1)) < 0.05
    own = read_tracked(tmp_path / "out/x_lk_query_points_tracked.npz")
    assert own.query_points[:, 0].tolist() == [0, 3, 6]
    np.testing.assert_array_equal(own.valid, [[1, 0, 0], [1, 1, 0], [1, 1, 1]])


def _refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(["track-mask-points", *map(str, arguments)]) == 2
    return " ".join(capsys.readouterr().err.split())


def test_input_that_cannot_be_used_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = walls(1, 2)
    good = write_plain(tmp_path / "good.npz", arrays, box_masks(arrays))
    requested = ("--npz", good, "--output-dir", tmp_path / "out")
    for more, reported in (
        (("--tracker", "cotracker3_offline"), "the package cotracker is not installed"),
        (("--tracker", "magic"), "--tracker: 'magic' is not accepted: auto, "),
        (
            ("--mask-key", "hoist_masks"),
            "--mask-key: 'hoist_masks' is not accepted: good.npz has no such masks, nor query_points, but",
        ),
        (("--base-name", "../x"), "--base-name: '../x'"),
        (("--base-name", "a b"), "--base-name: 'a b'"),
        (("--min-depth", 2, "--max-depth", 1), "--min-depth: 2.0"),
        (("--depth-estimator", "duster"), "--depth-estimator: 'duster'"),
        (("--skip-split",), "give --skip-split and --instances-dir together"),
        (("--skip-split", "--instances-dir", tmp_path), "a folder with good_INSTANCE.npz files"),
        (("--max-query-points-per-batch", 0), "--max-query-points-per-batch: 0"),
        (("--max-query-points-per-batch", "many"), "'many' is not accepted: a whole number, or auto"),
        (("--batch-strategy", "alphabetical"), "--batch-strategy: 'alphabetical' is not accepted: "),
        (("--temporal-stride", 0), "--temporal-stride: 0"),
    ):
        assert reported in _refusal(capsys, *requested, *more), more
    nan = {**arrays, "intrs": arrays["intrs"] * np.nan}
    for npz, reported in (
        (tmp_path / "nowhere.npz", "no such file"),
        (tmp_path, "is a directory"),
        (write_plain(tmp_path / "nan.npz", nan, {}), "intrs holds values that are not finite numbers"),
        (write_plain(tmp_path / "half.npz", {"rgbs": arrays["rgbs"]}, {}), "there is no depths, no intrs, no extrs"),
        (write_plain(tmp_path / "bare.npz", arrays, {}), "--mask-key: 'sam2_masks'"),
        (tmp_path / "text.npz", "not an archive of arrays"),
    ):
        (tmp_path / "text.npz").write_text("no archive")
        assert reported in _refusal(capsys, "--npz", npz, "--output-dir", tmp_path / "out"), npz
    assert not (tmp_path / "out" / ".maskflow").exists()


@slow
@pytest.mark.usefixtures("prefect_server")
def test_code_in_a_clip_is_a_failed_item_and_never_runs(tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'hacked'}",)

    npz = write_with_pickle(tmp_path / "evil.npz", walls(1, 2), "sam2_masks", pickled_object({"a": Code()}))
    done = _track(npz, tmp_path / "out")
    assert done.code == 1, done.err
    assert "it holds code (posix.system), which was not run" in " ".join(done.out.split())
    assert not (tmp_path / "hacked").exists()
    assert "sam2_masks cannot be read" in (tmp_path / "out/failures.jsonl").read_text()
