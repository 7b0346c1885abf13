import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import UnsafeFile
from core.store.safe_load import load_json, load_npz, load_pth, load_yaml


class _Hostile:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.proof),)


def test_plain_data_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('﻿{"a": 1}', encoding="utf-8")
    (tmp_path / "a.yaml").write_text("a: [1, 2]")
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    torch.save({"x": torch.arange(3)}, tmp_path / "a.pth")
    assert load_json(tmp_path / "a.json") == {"a": 1}
    assert load_yaml(tmp_path / "a.yaml") == {"a": [1, 2]}
    assert load_npz(tmp_path / "a.npz")["x"].tolist() == [0, 1, 2]
    assert load_pth(tmp_path / "a.pth")["x"].tolist() == [0, 1, 2]


def test_no_code_from_a_file_is_run(tmp_path: Path) -> None:
    proof = tmp_path / "was-run"
    hostile = _Hostile(proof)
    torch.save(hostile, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(hostile))
    np.savez(tmp_path / "a.npz", x=np.array([hostile], dtype=object))
    (tmp_path / "a.yaml").write_text(f"!!python/object/apply:os.mkdir [{proof}]")
    for load, name in ((load_pth, "a.pth"), (load_pth, "b.pth"), (load_npz, "a.npz"), (load_yaml, "a.yaml")):
        with pytest.raises(UnsafeFile, match=name):
            load(tmp_path / name)
    assert not proof.exists()


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "", '{"a": 01}'])
def test_text_that_is_not_json_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UnsafeFile) as refused:
        load_json(tmp_path / "a.json")
    assert "\n" not in str(refused.value)


def test_ceilings_hold(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1, 2, 3]")
    with pytest.raises(UnsafeFile, match="more than"):
        load_json(tmp_path / "a.json", max_bytes=4)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(10_000_000))
    with pytest.raises(UnsafeFile, match="ceiling"):
        load_npz(tmp_path / "bomb.npz", max_bytes=1_000_000)


@pytest.mark.parametrize("load", [load_npz, load_pth])
def test_garbage_is_refused(tmp_path: Path, load: object) -> None:
    (tmp_path / "a").write_bytes(b"\x00garbage" * 50)
    assert callable(load)
    with pytest.raises(UnsafeFile):
        load(tmp_path / "a")
