from core.prompts import Detection
from core.tracking.association import covered_share, match_detections


def test_labels_must_agree() -> None:
    boxes = [(0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0)]
    detections = [Detection((0, 0, 10, 10), "dog", 1.0), Detection((20, 0, 30, 10), "dog", 1.0)]
    assert match_detections(boxes, [None, None], ["cat", "dog"], detections, 0.3) == [(1, 1)]
    assert len(match_detections(boxes, [None, None], [None, "dog"], detections, 0.3)) == 2
    assert match_detections([], [], [], detections, 0.3) == []


def test_covered_share() -> None:
    assert covered_share((0, 0, 10, 10), [(5, 0, 20, 20), (0, 0, 1, 1)]) == 0.5
    assert covered_share((0, 0, 10, 10), []) == 0
