"""What readers left out, and what they took for granted: noted once each, so that nothing goes by unseen."""

from collections.abc import Iterator
from dataclasses import dataclass, field

_MOST = 10_000


@dataclass
class Notes:
    """Notes in the order in which they came; the same one twice counts once. Beyond 10,000 they are only counted."""

    _texts: dict[str, None] = field(default_factory=dict)
    _more: int = 0

    def add(self, where: str, what: str) -> None:
        """Note what happened to an entry (`where`: file and entry)."""
        text = f"{where}: {what}"
        if len(self._texts) < _MOST:
            self._texts[text] = None
        elif text not in self._texts:
            self._more += 1

    def __len__(self) -> int:
        return len(self._texts) + self._more

    def __iter__(self) -> Iterator[str]:
        yield from self._texts

    def summary(self, most: int = 10) -> list[str]:
        """The first `most` notes, and how many more there are."""
        lines = list(self._texts)[:most]
        more = len(self) - len(lines)
        return [*lines, f"and {more:,} more like these"] if more else lines
