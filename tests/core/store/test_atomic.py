import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.store.atomic import atomic_file, atomic_folder, clone_or_copy, sweep_temporaries, write_text


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    final = tmp_path / "out.json"
    write_text(final, "old")
    with pytest.raises(RuntimeError, match="in the middle"), atomic_file(final) as temporary:
        temporary.write_text("half")
        raise RuntimeError("in the middle")
    assert final.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.json"]


def test_a_file_is_not_visible_before_it_is_whole(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "out.mp4"
    with atomic_file(final) as temporary:
        temporary.write_text("x")
        assert not final.exists()
        assert temporary.suffix == ".mp4"
    assert final.read_text() == "x"


def test_a_folder_replaces_the_one_before_as_a_whole(tmp_path: Path) -> None:
    final = tmp_path / "item"
    for name in ("first", "second"):
        with atomic_folder(final) as folder:
            (folder / name).write_text(name)
    assert os.listdir(final) == ["second"]
    assert os.listdir(tmp_path) == ["item"]


def test_what_a_killed_process_left_is_swept_and_a_live_ones_is_not(tmp_path: Path) -> None:
    script = (
        "import os, signal; from pathlib import Path; from core.store.atomic import atomic_file\n"
        f"with atomic_file(Path({str(tmp_path)!r}) / 'out') as t: t.write_text('half'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    with atomic_file(tmp_path / "mine") as mine:
        mine.write_text("x")
        assert len(os.listdir(tmp_path)) == 2
        sweep_temporaries(tmp_path)
        assert os.listdir(tmp_path) == [mine.name]
    assert os.listdir(tmp_path) == ["mine"]


def test_a_copy_is_a_file_of_its_own_and_replaces_what_was_there(tmp_path: Path) -> None:
    source, final = tmp_path / "a", tmp_path / "b" / "c"
    source.write_text("new")
    write_text(final, "old")
    clone_or_copy(source, final)
    assert final.read_text() == "new"
    with final.open("a") as edited:
        edited.write(" and changed in place")
    assert source.read_text() == "new"
