import os
import time
from pathlib import Path

import pytest

from core.errors import RefusedInput
from core.store.cache import (
    choose,
    has_items_of_an_earlier_version,
    in_use,
    list_items,
    mark_used,
    note_key_version,
    remove,
)
from core.store.manifest import commit_item

KEYS = {name: 64 * name for name in "abc"}


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """Three items of 1, 2 and 3 days ago, the last run since then used the newest only."""
    state = tmp_path / ".maskflow"
    for days, (name, key) in enumerate(KEYS.items(), 1):
        folder = state / "track_video" / key[:24]
        with commit_item(folder, key, {}) as draft:
            (draft.folder / "out").write_bytes(bytes(1000 * days))
        then_s = time.time() - 86_400 * days
        os.utime(folder, (then_s, then_s))
        folder.with_name(f".{folder.name}.lock").touch()
        (state / "results").mkdir(exist_ok=True)
        (state / "results" / key).write_text(name)
    with in_use(state):
        mark_used(state / "track_video" / KEYS["a"][:24])
    return tmp_path


def _names(items: list[object]) -> list[str]:
    of_key = {key: name for name, key in KEYS.items()}
    return [of_key[getattr(one, "key")] for one in items]  # noqa: B009 - typed loosely


def test_items_of_an_earlier_version_are_known(outputs: Path, tmp_path: Path) -> None:
    state = outputs / ".maskflow"
    assert has_items_of_an_earlier_version(state)
    assert has_items_of_an_earlier_version(state), "until a run has ended"
    note_key_version(state)
    assert not has_items_of_an_earlier_version(state)
    (state / "keys").write_text("1")
    assert has_items_of_an_earlier_version(state)
    (tmp_path / "new").mkdir()
    assert not has_items_of_an_earlier_version(tmp_path / "new")


def test_the_longest_unused_come_first(outputs: Path) -> None:
    items = list_items(outputs)
    assert _names([*items]) == ["c", "b", "a"]
    assert [one.unused for one in items] == [True, True, False]
    assert all(one.size_bytes > 1000 for one in items)


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        ((2.5 * 86_400, None, False), ["c"]),
        ((None, 3500, False), ["c"]),
        ((None, 2000, False), ["c", "b"]),
        ((None, 0, False), ["c", "b", "a"]),
        ((None, None, True), ["c", "b"]),
        ((86_400 * 10, 10**9, False), []),
    ],
)
def test_what_is_chosen(rule: tuple[float | None, int | None, bool], chosen: list[str], outputs: Path) -> None:
    assert _names([*choose(list_items(outputs), *rule)]) == chosen


def test_a_run_that_is_interrupted_leaves_nothing_unused(outputs: Path) -> None:
    before = [one.unused for one in list_items(outputs)]
    with pytest.raises(KeyboardInterrupt), in_use(outputs / ".maskflow"):
        raise KeyboardInterrupt
    assert [one.unused for one in list_items(outputs)] == before


def test_what_is_removed_is_gone_with_its_records(outputs: Path) -> None:
    items = list_items(outputs)
    remove(outputs, items[:2])
    assert _names([*list_items(outputs)]) == ["a"]
    assert [path.name for path in (outputs / ".maskflow" / "results").iterdir()] == [KEYS["a"]]
    left = [path.name for path in (outputs / ".maskflow" / "track_video").iterdir()]
    assert sorted(left) == sorted([KEYS["a"][:24], f".{KEYS['a'][:24]}.lock"])


def test_nothing_is_removed_under_a_run(outputs: Path) -> None:
    with in_use(outputs / ".maskflow"), pytest.raises(RefusedInput, match="a run is at work there"):
        remove(outputs, list_items(outputs))
    assert len(list_items(outputs)) == 3


def test_a_folder_without_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match=r"no \.maskflow in it"):
        list_items(tmp_path)
