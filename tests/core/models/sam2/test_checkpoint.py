import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from sam2.modeling.sam2_base import SAM2Base

from core.errors import RefusedInput, UnsafeFile
from core.models.sam2.build import build
from core.models.sam2.checkpoint import check_checkpoint, identify, load_weights
from core.weights.sam2_names import SAM_TYPES, SamType

TINY: SamType = "sam2.1_hiera_tiny"


@pytest.fixture(scope="module")
def checkpoint(model: SAM2Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.save({"model": model.state_dict()}, path)
    return path


def test_weights_arrive(model: SAM2Base, checkpoint: Path) -> None:
    check_checkpoint(checkpoint, TINY)
    torch.manual_seed(99)
    other = build(TINY, torch.device("cpu"), 128)
    assert not torch.equal(other.no_mem_embed, model.no_mem_embed)
    load_weights(other, checkpoint, TINY)
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor), name


@pytest.mark.parametrize("sam_type", ["sam2.1_hiera_small", "sam2_hiera_tiny"])
def test_the_wrong_model_is_named(checkpoint: Path, sam_type: SamType) -> None:
    with pytest.raises(RefusedInput, match=rf"holds {TINY}, not {sam_type}: give --sam-type {TINY}"):
        check_checkpoint(checkpoint, sam_type)


@pytest.mark.slow
@pytest.mark.parametrize("sam_type", SAM_TYPES)
def test_every_published_model_is_known_by_its_tensors(sam_type: SamType) -> None:
    assert identify(build(sam_type, torch.device("cpu"), 128).state_dict()) == sam_type


def test_differences_within_the_right_model_are_named(model: SAM2Base, tmp_path: Path) -> None:
    state = dict(model.state_dict())
    state["maskmem_tpos_enc"] = torch.zeros(3, 1, 1, 64)
    del state["no_mem_embed"]
    state["extra"] = torch.zeros(1)
    torch.save({"model": state}, tmp_path / "a.pt")
    expected = (
        "no_mem_embed is missing; extra is not part of it; maskmem_tpos_enc is .3, 1, 1, 64. instead of .7, 1, 1, 64."
    )
    with pytest.raises(RefusedInput, match=expected):
        load_weights(model, tmp_path / "a.pt", TINY)


class _Bomb:
    def __reduce__(self) -> Any:
        return (open, ("bomb_went_off", "w"))


@pytest.mark.parametrize("read", [lambda p: check_checkpoint(p, TINY), lambda p: load_weights(None, p, TINY)])
def test_hostile_and_broken_files_are_refused_and_never_run(
    read: Any, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = checkpoint.read_bytes()
    torch.save({"model": {"weight": torch.zeros(1), "bomb": _Bomb()}}, "bomb.pt")
    Path("plain_bomb.pt").write_bytes(pickle.dumps(_Bomb()))
    Path("truncated.pt").write_bytes(whole[: len(whole) // 2])
    Path("empty.pt").write_bytes(b"")
    Path("page.pt").write_text("<html>404 not found</html>")
    torch.save({"model": {"weight": torch.zeros(1), "note": "text"}}, "text.pt")
    torch.save([torch.zeros(1)], "list.pt")
    torch.save({"model": {1: torch.zeros(1)}}, "number.pt")
    torch.save({"model": {"weight": torch.zeros(1)}}, "other.pt")
    torch.save({"model": {"image_encoder.trunk.patch_embed.proj.weight": torch.zeros(())}}, "scalar.pt")
    Path("folder.pt").mkdir()
    for name in ("bomb", "plain_bomb", "truncated", "empty", "page", "text", "list", "number", "folder", "none"):
        with pytest.raises(UnsafeFile, match=f"{name}.pt"):
            read(Path(f"{name}.pt"))
    for name in ("other", "scalar"):
        with pytest.raises(RefusedInput, match="is no SAM 2 model: its 1 tensors"):
            read(Path(f"{name}.pt"))
    assert not Path("bomb_went_off").exists()


def test_a_file_with_any_byte_wrong_is_read_or_refused_but_never_fails_otherwise(tmp_path: Path) -> None:
    for zipped in (True, False):
        torch.save({"model": {"weight": torch.zeros(3)}}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
        whole = (tmp_path / "a.pt").read_bytes()
        for index in range(0, len(whole), 1 if not zipped else 3):
            (tmp_path / "b.pt").write_bytes(whole[:index] + bytes([whole[index] ^ 0x55]) + whole[index + 1 :])
            with pytest.raises((UnsafeFile, RefusedInput)):
                check_checkpoint(tmp_path / "b.pt", TINY)
