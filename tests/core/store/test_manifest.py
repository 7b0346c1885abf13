from pathlib import Path

import pytest

from core.store.manifest import MANIFEST, commit_item, read_valid


def _item(folder: Path) -> Path:
    with commit_item(folder, "key", {"video": "abc"}) as draft:
        (draft.folder / "frames.jsonl").write_text("line\n")
        draft.record["frames"] = 1
    return folder


def test_a_committed_item_is_valid_for_its_key_only(tmp_path: Path) -> None:
    folder = _item(tmp_path / "item")
    manifest = read_valid(folder, "key")
    assert manifest is not None
    assert manifest.record == {"frames": 1}
    assert [output.name for output in manifest.outputs] == ["frames.jsonl"]
    assert read_valid(folder, "other key") is None


def _alter(folder: Path) -> None:
    (folder / "frames.jsonl").write_text("LINE\n")


def _shorten(folder: Path) -> None:
    (folder / "frames.jsonl").write_text("")


def _delete(folder: Path) -> None:
    (folder / "frames.jsonl").unlink()


def _lose_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def _cut_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text((folder / MANIFEST).read_text()[:40])


@pytest.mark.parametrize("spoil", [_alter, _shorten, _delete, _lose_manifest, _cut_manifest])
def test_a_spoilt_item_is_not_valid(tmp_path: Path, spoil: object) -> None:
    folder = _item(tmp_path / "item")
    assert callable(spoil)
    spoil(folder)
    assert read_valid(folder, "key") is None


def test_an_item_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), commit_item(tmp_path / "item", "key", {}) as draft:
        (draft.folder / "half").write_text("x")
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []
