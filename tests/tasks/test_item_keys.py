import importlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from tasks.items import Item, Stage, item_key

ITEM = Item("a.mp4", {"video": "digest", "fps": 5}, {"video": "/somewhere/a.mp4"}, 1.0)
STAGE = Stage("track", "core.tracking.video_item:track_video", lambda _: [])


def _stages() -> Iterator[Stage]:
    root = Path(__file__).parents[2]
    for path in sorted((root / "flows").glob("*/*.py")):
        if path.parent.name != "cli":
            module = importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))
            yield from {one for one in vars(module).values() if isinstance(one, Stage)}


STAGES = {stage.function: stage for stage in _stages()}


@pytest.mark.parametrize(
    ("stage", "item", "same"),
    [
        (Stage("follow", STAGE.function, lambda _: ["more"]), ITEM, True),
        (Stage("track", "core.elsewhere:track_video", STAGE.describe), ITEM, True),
        (STAGE, Item("b.mp4", ITEM.inputs, {"video": "/elsewhere/b.mp4"}, 2.0), True),
        (Stage("track", STAGE.function, STAGE.describe, version=2), ITEM, False),
        (Stage("track", "core.tracking.render_item:render_video", STAGE.describe), ITEM, False),
        (STAGE, Item("a.mp4", {"video": "digest", "fps": 6}, ITEM.request, 1.0), False),
    ],
    ids=["another name", "moved to another module", "another place", "another version", "other work", "other inputs"],
)
def test_a_key_is_of_function_version_and_inputs(stage: Stage, item: Item, same: bool) -> None:
    assert (item_key(stage, item) == item_key(STAGE, ITEM)) == same


def test_every_stage_names_an_item_function_of_its_own() -> None:
    assert len(STAGES) >= 20
    assert [name for name, count in Counter(one.task_name for one in STAGES.values()).items() if count > 1] == []
    for stage in STAGES.values():
        module, _, name = stage.function.partition(":")
        assert issubclass(getattr(importlib.import_module(module), name).request, BaseModel), stage


def test_stages_whose_items_write_a_page_say_so() -> None:
    """Prefect's UI shows the first pictures of these pages."""
    assert {stage.task_name for stage in STAGES.values() if stage.page} == {
        "report_tracked", "assemble_video", "report_refined", "report_reconstruction", "report_points",
    }  # fmt: skip
