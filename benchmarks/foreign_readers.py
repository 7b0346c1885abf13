# mypy: disable-error-code="import-not-found, no-untyped-def, no-untyped-call"
"""Runs with other people's packages only (supervision, datumaro), never with ours: see `benchmarks.other_readers`.

Reads exports with them and prints, as JSON, what they found: frames, objects, labels, and the pixels of all masks.
"""

import json
import sys
from collections import Counter
from pathlib import Path


def _supervision(dataset) -> dict[str, object]:
    frames = objects = pixels = 0
    for _, _, found in dataset:
        frames, objects = frames + 1, objects + len(found)
        pixels += 0 if found.mask is None else int(found.mask.sum())
    return {"frames": frames, "objects": objects, "pixels": pixels, "labels": sorted(dataset.classes)}


def _datumaro(path: Path, kind: str) -> dict[str, object]:
    import datumaro

    dataset = datumaro.Dataset.import_from(str(path), kind)
    frames = pixels = 0
    kinds: Counter[str] = Counter()  # an object may come as a box and as a mask
    for item in dataset:
        frames += 1
        for one in item.annotations:
            if not one.attributes.get("outside"):
                kinds[one.type.name] += 1
                pixels += int(one.get_area()) if one.type.name == "mask" else 0
    objects = max(kinds.values())
    labels = dataset.categories()[datumaro.AnnotationType.label]
    return {"frames": frames, "objects": objects, "pixels": pixels, "labels": sorted(one.name for one in labels)}


def main() -> None:
    """Read every export below the folder that is named."""
    import supervision

    root = Path(sys.argv[1])
    coco = root / "coco"
    reported = {
        "supervision, coco": _supervision(
            supervision.DetectionDataset.from_coco(
                str(coco / "images"), str(coco / "annotations" / "instances_train.json"), force_masks=True
            )
        ),
    }
    for shape in ("polygon", "box"):
        yolo = root / f"yolo-{shape}"
        folders = (str(yolo / "images" / "train"), str(yolo / "labels" / "train"), str(yolo / "data.yaml"))
        reported[f"supervision, yolo, {shape}"] = _supervision(
            supervision.DetectionDataset.from_yolo(*folders, force_masks=shape == "polygon")
        )
    reported["datumaro, coco"] = _datumaro(coco, "coco_instances")
    for shape in ("polygon", "box"):
        reported[f"datumaro, cvat, {shape}"] = _datumaro(root / f"cvat-{shape}" / "train" / "crossing.xml", "cvat")
    reported["datumaro, mot"] = _datumaro(root / "mot" / "train" / "crossing", "mot_seq")
    reported["datumaro, yolo, box"] = _datumaro(root / "yolo-box", "yolo")
    print(json.dumps(reported))


if __name__ == "__main__":
    main()
