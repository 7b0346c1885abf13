"""Examples that `maskflow COMMAND --help` ends with."""


def _examples(*pairs: tuple[str, str]) -> str:
    """What each is good for, and the command below it."""
    return "\n\n".join(f"{what}:\n\n    {command}" for what, command in pairs)


EXAMPLES = {
    "track-videos": _examples(
        (
            "People, and videos that show them",
            "maskflow track-videos walks/*.mp4 --text-prompt person --output-video-dir drawn",
        ),
        (
            "What boxes point at, ten seconds of it",
            "maskflow track-videos car.mp4 --prompts boxes.json --start 10 --end 20",
        ),
    ),
    "annotate-long-video": _examples(
        ("From a text", "maskflow annotate-long-video kitchen.mp4 --text-prompt red --annotated-video"),
        ("From boxes on some frames", "maskflow annotate-long-video videos --video-id P01 P02 --prompts boxes.json"),
    ),
    "refine-masks": _examples(
        ("Every scene of a folder", "maskflow refine-masks --data-root scenes"),
        ("One, judged by the truth", "maskflow refine-masks --data-root scenes --scenes room1 --ground-truth truth"),
    ),
    "reconstruct-windows": _examples(
        ("A folder of images", "maskflow reconstruct-windows --input-dir frames --output-dir model"),
        (
            "Two frames a second of a video",
            "maskflow reconstruct-windows --input-dir walk.mp4 --fps 2 --output-dir model",
        ),
    ),
    "track-mask-points": _examples(
        ("A clip from a scan", "maskflow rgbd-to-clip scan --intrinsics K.txt --masks results.jsonl --output clip.npz"),
        ("Every point of its masks", "maskflow track-mask-points --npz clip.npz --output-dir points"),
    ),
    "export": _examples(
        ("For a trainer", "maskflow export results.jsonl --to coco --output coco"),
        (
            "For annotators, with pictures",
            "maskflow export results.jsonl --to cvat --output cvat --videos walks --frames",
        ),
    ),
    "import": _examples(
        ("Boxes to track from", "maskflow import gt.txt --to prompts --output prompts.json"),
        ("Masks to refine", "maskflow import coco.json --to scenes --output scenes --videos walks"),
    ),
    "label": _examples(
        ("Point at objects in a video", "maskflow label street.mp4"),
        ("Correct results", "maskflow label --results outputs/tracks/results.jsonl"),
    ),
    "evaluate": _examples(
        ("Boxes, by MOT's measures", "maskflow evaluate results.jsonl --truth gt.txt"),
        ("Masks, by J&F, with a page", "maskflow evaluate results.jsonl --truth Annotations --output judged"),
    ),
    "review": _examples(("A list and a page", "maskflow review results.jsonl --videos walks --output to_look_at")),
    "rgbd-to-clip": _examples(
        (
            "Masks that were tracked",
            "maskflow rgbd-to-clip scan --intrinsics K.txt --masks results.jsonl --output clip.npz",
        ),
    ),
    "serve": _examples(
        ("Also for other machines", "PREFECT_SERVER_API_AUTH_STRING=USER:PASSWORD maskflow serve --host 0.0.0.0")
    ),
}
