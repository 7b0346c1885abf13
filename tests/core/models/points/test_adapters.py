"""The adapters of trackers that users install, against stand-ins that check what they are given."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rgbd_clips import box_masks, unpacked, walls

from core.errors import BadMedia, RefusedInput, Unavailable
from core.models.options import ModelOptions
from core.models.registry import POINT_TRACKERS
from core.models.role import Role
from core.models.roles import PointTracks
from core.models.spec import ModelSpec
from core.points.queries import queries_from_masks
from core.points.settings import QuerySettings
from core.rgbd.clip import Clip, ClipView

STANDINS = Path(__file__).parents[3] / "point_standins"
NAMES = ["mvtracker", "spatialtrackerv2", "cotracker3_offline", "cotracker3_online"]


@pytest.fixture
def standins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Their packages can be imported, their weights are in a folder."""
    monkeypatch.syspath_prepend(str(STANDINS))
    monkeypatch.chdir(tmp_path)
    places = {
        "mvtracker/mvtracker_200000_june2025.pth": {"model": {"model.weight": torch.zeros(3)}},
        "cotracker3/scaled_offline.pth": {"weight": torch.zeros(3)},
        "cotracker3/scaled_online.pth": {"model": {"weight": torch.zeros(3)}},
    }
    for name, weights in places.items():
        (Path("models") / name).parent.mkdir(parents=True, exist_ok=True)
        torch.save(weights, Path("models") / name)
    Path("models/spatialtrackerv2").mkdir()
    Path("models/spatialtrackerv2/model.safetensors").touch()
    yield tmp_path
    for name in [one for one in sys.modules if one.partition(".")[0] in ("cotracker", "mvtracker", "models", "ipdb")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Two cameras that stand still in front of walls."""
    arrays = walls(2, 9)
    still = {name: np.repeat(arrays[name][:, :1], 9, 1) for name in ("rgbs", "depths", "intrs", "extrs")}
    return unpacked(tmp_path_factory.mktemp("clips") / "clip", {**arrays, **still}, box_masks(arrays))


def _queries(clip: Clip, most: int = 20, frames_after: int = 1) -> np.ndarray:
    chosen = QuerySettings(frames_before=0, frames_after=frames_after, max_points_per_frame=most)
    return queries_from_masks(clip, "instance_0", chosen).points.astype(float)


def _digest(path: Path) -> str:
    from core.store.digests import sha256_content

    return sha256_content(path)


def _load(name: str) -> Any:
    """By a role of its own, as in a fresh process."""
    spec = POINT_TRACKERS.choose(name, ModelOptions()).spec(ModelOptions(), _digest)
    return Role("tracker", POINT_TRACKERS.backends).load(spec)


def _track(name: str, clip: Clip, queries: np.ndarray, support: np.ndarray, **view: Any) -> PointTracks:
    found: PointTracks = _load(name).track(ClipView(clip, **view), queries, support, lambda *_: None)
    return found


@pytest.mark.usefixtures("standins")
@pytest.mark.parametrize("name", NAMES)
def test_points_come_back_in_order_in_the_world(clip: Clip, name: str) -> None:
    queries = _queries(clip)
    found = _track(name, clip, queries, queries[:3])
    assert found.xyz.shape == (9, len(queries), 3)
    assert found.support is not None
    assert found.support.shape == (9, 3, 3)
    started = queries[:, 0].astype(int)
    np.testing.assert_array_equal(found.valid, np.arange(9)[:, None] >= started)
    assert np.isnan(found.xyz[~found.valid]).all()
    own = found.xyz[started, np.arange(len(started))]
    np.testing.assert_array_equal(own, queries[:, 1:].astype(np.float32))
    assert found.visible[started, np.arange(len(started))].all()
    away = np.linalg.norm(found.xyz - queries[:, 1:], axis=-1)[found.valid]
    assert np.median(away) < 0.03
    assert found.visible[found.valid].mean() > 0.9


@pytest.mark.usefixtures("standins")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stride", [1, 2, 4, 9])
def test_clips_of_any_length(clip: Clip, name: str, stride: int) -> None:
    queries = _queries(clip, 5, frames_after=0)
    found = _track(name, clip, queries, queries[:0], temporal_stride=stride)
    assert np.isfinite(found.xyz).all()
    assert (found.xyz != 0).all()


@pytest.mark.usefixtures("standins")
def test_out_of_memory_halves_the_batch_remembers_it_and_tells(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    standin = importlib.import_module("cotracker.predictor")
    queries = _queries(clip, 20, frames_after=0)[:20]  # all in one camera
    whole = _track("cotracker3_offline", clip, queries, queries[:2])
    assert whole.notes == ()
    monkeypatch.setattr(standin, "MOST", 8)
    standin.ASKED.clear()
    tracker = _load("cotracker3_offline")
    for again in (False, True):
        found = tracker.track(ClipView(clip), queries, queries[:2], lambda *_: None)
        assert found.xyz.tobytes() == whole.xyz.tobytes()
        assert found.notes == ("GPU memory: tracked in 4 parts of at most 5 points",)
        assert ([7] * 4 if again else [22, 12, 7, 7, 7, 7]) == standin.ASKED
        standin.ASKED.clear()
    few = tracker.track(ClipView(clip), queries[:7], queries[:2], lambda *_: None)
    assert few.notes == ("GPU memory: tracked in 2 parts of at most 4 points",)
    fresh = _load("cotracker3_offline")  # which has not seen memory run out: cuts the same way
    assert fresh.track(ClipView(clip), queries[:7], queries[:2], lambda *_: None).notes == few.notes
    monkeypatch.setattr(standin, "MOST", 1)
    with pytest.raises(torch.OutOfMemoryError):
        tracker.track(ClipView(clip), queries, queries[:2], lambda *_: None)


@pytest.mark.usefixtures("standins")
@pytest.mark.parametrize("name", ["mvtracker", "cotracker3_offline"])
def test_weights_that_do_not_fit_are_refused(name: str) -> None:
    path = POINT_TRACKERS.choose(name, ModelOptions()).spec(ModelOptions(), str).path
    assert path is not None
    torch.save({"weight": torch.zeros(4)}, path)
    with pytest.raises(Unavailable, match="does not hold"):
        _load(name)


@pytest.mark.usefixtures("standins")
def test_more_frames_than_spatialtracker_takes_are_refused(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = _load("spatialtrackerv2")
    monkeypatch.setattr("core.models.points.spatialtrackerv2._MOST_FRAMES", 8)
    queries = _queries(clip, 3)
    with pytest.raises(BadMedia, match="takes 8 frames, these are 9: raise --temporal-stride"):
        tracker.track(ClipView(clip), queries, queries[:0], lambda *_: None)


@pytest.mark.usefixtures("standins")
def test_where_mvtracker_would_wait_for_a_person_it_fails() -> None:
    _load("mvtracker")
    with pytest.raises(Exception, match="coordinates are not finite"):
        importlib.import_module("ipdb").set_trace()


@pytest.mark.usefixtures("standins")
def test_auto_takes_the_first_that_is_there() -> None:
    assert POINT_TRACKERS.choose("auto", ModelOptions()).name == "mvtracker"


@pytest.mark.parametrize("name", NAMES)
def test_a_tracker_that_is_not_installed_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(RefusedInput, match=f"tracker = '{name}' cannot be used: .*is not installed .*github"):
        POINT_TRACKERS.choose(name, ModelOptions())
    assert POINT_TRACKERS.choose("auto", ModelOptions()).name == "lk"
    assert POINT_TRACKERS.load(ModelSpec(backend="lk")) is POINT_TRACKERS.load(ModelSpec(backend="lk"))
