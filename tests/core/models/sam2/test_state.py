import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sam2.modeling.sam2_base import SAM2Base
from small_sam2 import Ours

from core.errors import UnsafeFile
from core.models.sam2.predictor import StreamingPredictor, Window
from core.models.sam2.state import restore_predictor, save_predictor
from core.prompts import Prompt
from core.video.frames import RGB

BOX = Prompt(box=(8.0, 35.0, 28.0, 55.0))
POINTS = Prompt(points=((40.0, 45.0, True), (10.0, 10.0, False)))
ELSEWHERE = """
import sys
import numpy as np, torch
from pathlib import Path
from small_sam2 import Ours, small_sam2
from core.models.sam2.state import restore_predictor
torch.set_num_threads(int(sys.argv[4]))
frames = list(np.load(sys.argv[2]))
ours = Ours(restore_predictor(small_sam2(), Path(sys.argv[1]), "small"), frames)
ours.advance(range(ours.predictor.frame + 1, len(frames)))
np.savez(sys.argv[3], **{f"{frame} {obj_id}": logits.numpy() for (frame, obj_id), logits in ours.logits.items()})
"""


def _half_way(model: SAM2Base, frames: list[RGB], frame: int, batch: int) -> Ours:
    """Two objects, one prompted on the very frame at which the session stands."""
    ours = Ours(StreamingPredictor(model, Window(*frames[0].shape[:2]), batch), frames)
    ours.seek(0)
    ours.add(7, BOX)
    ours.add(2, POINTS)
    ours.advance(range(1, frame + 1))
    ours.add(2, BOX)
    ours.add(5, POINTS)
    return ours


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 4])
def test_a_new_process_goes_on_with_the_same_bytes(
    model: SAM2Base, frames: list[RGB], tmp_path: Path, batch: int
) -> None:
    ours = _half_way(model, frames, 12, batch)
    save_predictor(ours.predictor, tmp_path / "session.safetensors", "small")
    ours.logits.clear()
    ours.advance(range(13, 19))
    np.save(tmp_path / "frames.npy", np.stack(frames[:19]))
    arguments = ["session.safetensors", "frames.npy", "logits.npz"]
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *(str(tmp_path / name) for name in arguments), str(torch.get_num_threads())],
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    with np.load(tmp_path / "logits.npz") as elsewhere:
        assert set(elsewhere.files) == {f"{frame} {obj_id}" for frame, obj_id in ours.logits}
        for (frame, obj_id), logits in ours.logits.items():
            np.testing.assert_array_equal(elsewhere[f"{frame} {obj_id}"], logits.numpy())


def test_what_is_held_for_the_way_back_is_saved_too(model: SAM2Base, frames: list[RGB], tmp_path: Path) -> None:
    ours = Ours(StreamingPredictor(model, Window(*frames[0].shape[:2])), frames)
    ours.seek(10)
    ours.add(1, BOX)
    ours.predictor.hold()
    ours.advance(range(11, 16))
    save_predictor(ours.predictor, tmp_path / "s", "small")
    restored = Ours(restore_predictor(model, tmp_path / "s", "small"), frames)
    for one in (ours, restored):
        one.logits.clear()
        one.advance(range(16, 18))
        one.seek(10, reverse=True)
        one.advance(range(9, 5, -1))
    assert all(torch.equal(logits, restored.logits[key]) for key, logits in ours.logits.items())


def test_no_correction_without_the_frame(model: SAM2Base, frames: list[RGB], tmp_path: Path) -> None:
    ours = _half_way(model, frames, 1, 1)
    save_predictor(ours.predictor, tmp_path / "s", "small")
    with pytest.raises(ValueError, match="advance or seek first"):
        restore_predictor(model, tmp_path / "s", "small").add(7, BOX)


def test_files_that_do_not_fit_are_refused(model: SAM2Base, frames: list[RGB], tmp_path: Path) -> None:
    good = tmp_path / "s"
    save_predictor(_half_way(model, frames, 1, 1).predictor, good, "small")
    with pytest.raises(UnsafeFile, match="saved with small, and cannot go on with large"):
        restore_predictor(model, good, "large")
    (tmp_path / "half").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    (tmp_path / "text").write_text("no tensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other")
    (tmp_path / "folder").mkdir()
    for name in ("half", "text", "other", "folder", "none"):
        with pytest.raises(UnsafeFile, match=f"{name}: not a saved session"):
            restore_predictor(model, tmp_path / name, "small")

    with safe_open(good, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(good)
    save_file(tensors | {"7/conditioning/0/features": torch.zeros(1, 64, 2, 2)}, tmp_path / "shape", metadata)
    with pytest.raises(UnsafeFile, match=r"features is \[1, 64, 2, 2\] of .*, this model's is \[1, 64, 8, 8\]"):
        restore_predictor(model, tmp_path / "shape", "small")
    del tensors["7/conditioning/0/pointer"]
    save_file(tensors, tmp_path / "missing", metadata)
    with pytest.raises(UnsafeFile, match="7/conditioning/0/pointer is missing"):
        restore_predictor(model, tmp_path / "missing", "small")
