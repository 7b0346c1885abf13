"""A predictor's state on disk, so that a killed run goes on in mid-video with the same bytes."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from core.errors import UnsafeFile
from core.models.sam2.memory import FramePosition, Memory, MemoryBank
from core.models.sam2.predictor import StreamingPredictor, Window
from core.models.session_file import SessionInfo, read_session, write_session


class _Object(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    obj_id: int
    conditioning: list[int]
    recent: list[int]


class Sam2Info(SessionInfo):
    """Everything but the tensors. Lists keep the order in which the model reads."""

    height: int = Field(ge=1)
    width: int = Field(ge=1)
    num_frames: int | None = Field(ge=1)
    batch: int = Field(ge=1)
    frame: int
    step: Literal[1, -1]
    held: tuple[int, Literal[1, -1]] | None
    objects: list[_Object]


def save_predictor(predictor: StreamingPredictor, path: Path, model: str) -> None:
    """Write the state to `path`, a safetensors file. `model` names model, weights and settings.

    Corrections of the present frame are not possible after restoring: the frame itself is not kept.
    """
    predictor.settle()
    window, held = predictor.window, predictor.held
    info = Sam2Info(
        model=model,
        height=window.height,
        width=window.width,
        num_frames=window.num_frames,
        batch=predictor.batch,
        frame=predictor.frame,
        step=predictor.step,
        held=None if held is None else (held.frame, held.step),
        objects=[
            _Object(obj_id=obj_id, conditioning=list(memory.conditioning), recent=list(memory.recent))
            for obj_id, memory in predictor.objects.items()
        ],
    )
    tensors = {
        f"{obj_id}/{kind}/{frame}/{name}": tensor.contiguous()
        for obj_id, memory in predictor.objects.items()
        for kind, kept in (("conditioning", memory.conditioning), ("recent", memory.recent))
        for frame, one in kept.items()
        for name, tensor in one.tensors().items()
    }
    write_session(path, info, tensors, "pt")


def restore_predictor(
    model: SAM2Base, path: Path, name: str, pad: bool = False, fast: bool = False
) -> StreamingPredictor:
    """The predictor as it was saved; `advance` goes on with the frame after its last. `pad`, `fast`: see the predictor.

    Raises:
        UnsafeFile: the file is damaged, or belongs to another model than `name`.
    """
    info, tensors = read_session(path, Sam2Info, name, "pt")
    predictor = StreamingPredictor(model, Window(info.height, info.width, info.num_frames), info.batch, pad, fast)
    predictor.frame, predictor.step = info.frame, info.step
    predictor.held = None if info.held is None else FramePosition(*info.held)
    for one in info.objects:
        predictor.objects[one.obj_id] = MemoryBank(
            {frame: _memory(path, model, tensors, f"{one.obj_id}/conditioning/{frame}") for frame in one.conditioning},
            {frame: _memory(path, model, tensors, f"{one.obj_id}/recent/{frame}") for frame in one.recent},
        )
    return predictor


def _memory(path: Path, model: SAM2Base, tensors: dict[str, Tensor], prefix: str) -> Memory:
    side = model.image_size // model.backbone_stride
    expected = {
        "pointer": (1, model.hidden_dim),
        "features": (1, model.mem_dim, side, side),
        "logits": (1, 1, model.image_size // 4, model.image_size // 4),
        "score": (1,),
        "presence": (1, 1),
    }
    found: dict[str, Tensor] = {}
    for name, shape in expected.items():
        tensor = tensors.get(f"{prefix}/{name}")
        if tensor is None:
            continue
        if tuple(tensor.shape) != shape or not tensor.is_floating_point():
            found_as = f"{list(tensor.shape)} of {tensor.dtype}"
            raise UnsafeFile(f"{path}: {prefix}/{name} is {found_as}, this model's is {list(shape)} of floats")
        found[name] = tensor.to(model.device)
    if "pointer" not in found:
        raise UnsafeFile(f"{path}: {prefix}/pointer is missing")
    return Memory(**found)
