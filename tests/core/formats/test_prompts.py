import json
from pathlib import Path

import pytest

from core.errors import RefusedInput
from core.formats.prompts import read_prompts


def _write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_missing_ids_count_up_past_the_given_ones(tmp_path: Path) -> None:
    entries = [
        {"box": [0, 0, 5, 5]},
        {"obj_id": 4, "points": [[1, 2, 1], [3, 4, 0]]},
        {"box": [1, 1, 2, 2], "frame": 3},
    ]
    read = read_prompts(_write(tmp_path / "p.json", {"a.mp4": entries}))["a.mp4"]
    assert [entry.obj_id for entry in read] == [5, 4, 6]
    prompt = read[1].object_prompt()
    assert prompt.prompt.points == ((1, 2, True), (3, 4, False))
    assert read[2].object_prompt().source_frame == 3


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({}, "give a box, a mask, or points"),
        ({"points": [[1, 1, 0]]}, "at least one on the object"),
        ({"box": [5, 0, 5, 9]}, "x0 < x1"),
        ({"box": [0, 0, 1e9, 9]}, "less than or equal"),
        ({"box": [0, 0, 5, 9], "frame": -1}, "frame"),
        ({"box": [0, 0, 5, 9], "obj_id": 0}, "greater than or equal to 1"),
        ({"box": [0, 0, 5, 9], "obj_id": 70000}, "less than or equal to 65535"),
        ({"bbox": [0, 0, 5, 9]}, "bbox"),
    ],
)
def test_a_bad_entry_is_refused_with_its_place(tmp_path: Path, entry: object, named: str) -> None:
    with pytest.raises(RefusedInput, match=r"a\.mp4 / 0.*") as refused:
        read_prompts(_write(tmp_path / "p.json", {"a.mp4": [entry]}))
    assert named in str(refused.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="cannot be read"):
        read_prompts(tmp_path / "none.json")
