"""`failures.jsonl`: one line per failed item, with its reason. Empty when everything was delivered."""

import json
from collections.abc import Iterable
from pathlib import Path

from core.store.atomic import write_text


def write_failures(path: Path, failures: Iterable[tuple[str, str]]) -> None:
    """Write `{"item", "reason"}` lines atomically, in the order given."""
    lines = (json.dumps({"item": item, "reason": reason}, ensure_ascii=False) + "\n" for item, reason in failures)
    write_text(path, "".join(lines))
