"""The adapter against a stand-in package with VGGT's documented names and shapes (`tests/vggt_standin`)."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import RefusedInput, Unavailable
from core.models.options import ModelOptions
from core.models.registry import RECONSTRUCTORS
from core.models.vggt.model import MODEL_SIDE, Vggt
from core.models.vggt.square import TRACK_SIDE, Square, make_square

STANDIN = Path(__file__).parents[3] / "vggt_standin"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Weights of the stand-in, which can be imported meanwhile."""
    monkeypatch.syspath_prepend(str(STANDIN))
    save_file({"step": torch.tensor(0.2)}, tmp_path / "model.safetensors")
    yield tmp_path / "model.safetensors"
    for name in [name for name in sys.modules if name.partition(".")[0] == "vggt"]:
        del sys.modules[name]


def _window(numbers: Sequence[int]) -> list[np.typing.NDArray[np.uint8]]:
    return [make_square(np.full((90, 160, 3), number, np.uint8)) for number in numbers]


def test_windows_are_stacked_and_come_back_in_order(weights: Path) -> None:
    model = Vggt.load(weights)
    together = model.predict([_window([0, 1, 2]), _window([5, 6, 7])], 2)
    alone = model.predict([_window([5, 6, 7])], 1)[0]
    assert [one.depth.shape for one in together] == [(3, MODEL_SIDE, MODEL_SIDE)] * 2
    assert together[0].cam_from_world.shape == (3, 3, 4)
    assert together[0].intrinsics.shape == (3, 3, 3)
    for name, value in vars(alone).items():
        assert value.dtype == np.float32
        if name != "confidence":
            np.testing.assert_array_equal(value, getattr(together[1], name))
    points = together[0].world_points()
    centre = points[1, MODEL_SIDE // 2, MODEL_SIDE // 2]
    assert centre[0] == pytest.approx(0.2, abs=0.02), "before a camera that moved by 0.2"


def test_memory_that_runs_out_halves_the_stack(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Vggt.load(weights)
    real, sizes = model._predict, []

    def tight(windows: Sequence[Sequence[np.typing.NDArray[np.uint8]]]) -> object:
        sizes.append(len(windows))
        if len(windows) > 2:
            raise torch.OutOfMemoryError("no")
        return real(windows)

    monkeypatch.setattr(model, "_predict", tight)
    found = model.predict([_window([n, n + 1]) for n in range(5)], 4)
    assert sizes == [4, 2, 2, 1]
    assert [round(float(one.cam_from_world[1, 0, 3]), 2) for one in found] == [-0.2, -0.22, -0.24, -0.26, -0.28]


def test_other_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    save_file({"other": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(Unavailable, match="does not hold VGGT's weights"):
        Vggt.load(tmp_path / "other.safetensors")


def test_squares_go_there_and_back() -> None:
    square = Square(160, 90)
    assert square.margin.tolist() == [0, 35]
    xy = square.to_source(np.array([[511.5, 511.5], [0.0, 0.0]]), TRACK_SIDE)
    np.testing.assert_allclose(xy, [[80.0, 45.0], [0.078125, -34.921875]])
    assert square.holds(xy).tolist() == [True, False]
    image = np.zeros((90, 160, 3), np.uint8)
    image[20:30, 100:110] = 255
    rows, columns = np.nonzero(make_square(image)[..., 0] > 127)
    back = square.to_source(np.array([[columns.mean(), rows.mean()]]), TRACK_SIDE)
    np.testing.assert_allclose(back, [[105.0, 25.0]], atol=0.1)


def test_choosing(weights: Path) -> None:
    assert RECONSTRUCTORS.choose("auto", ModelOptions(model_path=weights)).name == "vggt"
    assert RECONSTRUCTORS.choose("colmap", ModelOptions(model_path=weights)).name == "colmap"
    assert RECONSTRUCTORS.choose("auto", ModelOptions()).name == "colmap"
    with pytest.raises(RefusedInput, match="there are no weights at"):
        RECONSTRUCTORS.choose("auto", ModelOptions(model_path=weights.with_name("missing.pt")))
    with pytest.raises(RefusedInput, match="use auto, vggt, colmap"):
        RECONSTRUCTORS.choose("droid", ModelOptions())


def test_a_missing_package_is_told() -> None:
    with pytest.raises(RefusedInput, match="the package vggt is not installed"):
        RECONSTRUCTORS.choose("vggt", ModelOptions())
