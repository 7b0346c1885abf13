import json
from pathlib import Path

import pytest

from core.errors import UnsafeFile
from core.weights.folder import check_folder


def test_a_folder_of_another_model_or_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeFile, match="none: no toy model: not there"):
        check_folder(tmp_path / "none", "toy", "toy-type")
    (tmp_path / "file").touch()
    with pytest.raises(UnsafeFile, match="a file, not a folder"):
        check_folder(tmp_path / "file", "toy", "toy-type")
    with pytest.raises(UnsafeFile, match=r"no toy model: config\.json is missing"):
        check_folder(tmp_path, "toy", "toy-type")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "toy-type"}))
    with pytest.raises(UnsafeFile, match=r"model\.safetensors is missing"):
        check_folder(tmp_path, "toy", "toy-type")
    (tmp_path / "model.safetensors").touch()
    check_folder(tmp_path, "toy", "toy-type")
    with pytest.raises(UnsafeFile, match="says 'toy-type', not 'other'"):
        check_folder(tmp_path, "toy", "other")
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(UnsafeFile, match="says None"):
        check_folder(tmp_path, "toy", "toy-type")
