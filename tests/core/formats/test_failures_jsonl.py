import json
from pathlib import Path

from core.formats.failures_jsonl import write_failures


def test_a_line_for_each_failure_and_an_empty_file_for_none(tmp_path: Path) -> None:
    path = tmp_path / "failures.jsonl"
    write_failures(path, [("a\n.mp4", "broken: 猫")])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"item": "a\n.mp4", "reason": "broken: 猫"}]
    write_failures(path, [])
    assert path.read_text() == ""
