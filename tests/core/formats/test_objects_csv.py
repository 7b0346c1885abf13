import csv
from pathlib import Path

from core.formats.objects_csv import TrackedObject, write_objects


def test_a_line_for_each_object_of_each_video(tmp_path: Path) -> None:
    dog = TrackedObject(
        obj_id=2, label='a "dog", 犬', first_frame=3, last_frame=9, first_s=0.1, last_s=0.3, frames=5,
        mean_score=0.123456, detection_score=None,
    )  # fmt: skip
    cat = dog.model_copy(update={"obj_id": 1, "label": None, "detection_score": 0.5})
    write_objects(tmp_path / "out" / "o.csv", [("a.mp4", [dog, cat]), ("b.mp4", [])])
    with (tmp_path / "out" / "o.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["video"], row["obj_id"], row["label"]) for row in rows] == [
        ("a.mp4", "1", ""),
        ("a.mp4", "2", 'a "dog", 犬'),
    ]
    assert (rows[1]["first_frame"], rows[1]["last_s"], rows[1]["mean_score"]) == ("3", "0.3", "0.1235")
    assert (rows[0]["detection_score"], rows[1]["detection_score"]) == ("0.5", "")
