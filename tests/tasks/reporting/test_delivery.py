from pathlib import Path

import pytest

from core.errors import RefusedInput
from core.store.digests import DigestCache
from tasks.reporting.delivery import Deliveries


def _deliveries(root: Path, name: str = "x") -> Deliveries:
    return Deliveries(root, name, DigestCache(root / "digests.json"))


def test_what_the_last_run_did_not_make_goes_and_nothing_else(tmp_path: Path) -> None:
    made, root = tmp_path / "made", tmp_path / "out"
    made.write_text("content")
    first = _deliveries(root)
    first.add(made, "a.txt")
    first.add(made, "deep", "b.txt")
    first.text("words", "c.sh", executable=True)
    first.finish()
    (root / "mine.txt").write_text("a person's")
    _deliveries(root, "other").finish()
    assert (root / "c.sh").stat().st_mode & 0o111
    second = _deliveries(root)
    second.add(made, "a.txt")
    second.finish()
    assert sorted(path.name for path in root.iterdir() if not path.name.startswith(".")) == ["a.txt", "mine.txt"]


def test_a_killed_run_leaves_nothing_unknown(tmp_path: Path) -> None:
    made, root = tmp_path / "made", tmp_path / "out"
    made.write_text("content")
    _deliveries(root).add(made, "a.txt")  # and killed
    again = _deliveries(root)
    again.finish()
    assert not (root / "a.txt").exists()


def test_deliveries_stay_in_their_folder(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_text("content")
    with pytest.raises(RefusedInput):
        _deliveries(tmp_path / "out").add(made, "..", "a.txt")
