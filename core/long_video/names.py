"""Which object a sighting in a shard is, over the whole video, and what it is called."""

from collections.abc import Iterable, Mapping, Sequence

from core.formats.window_shard import ShardObject, read_facts
from core.long_video.merge import Identity, Shard
from core.long_video.stitch import Pair

_WHOLE_VIDEO = -1


class Names:
    """Follows objects that turned out to be other objects, in a segment or across segments.

    Args:
        objects: id and name in the annotations, by number; empty where a text prompt found the objects: these get the
            ids "1", "2" … in the order in which they are first named.
        shards: all of the video.
        apart: each segment has numbered its objects for itself.
        pairs: objects of different segments that are the same.
    """

    def __init__(
        self, objects: Mapping[int, tuple[str, str]], shards: Sequence[Shard], apart: bool, pairs: Iterable[Pair]
    ) -> None:
        self._objects = objects
        self._apart = apart
        self._rejected: set[Identity] = set()
        self._same: dict[Identity, Identity] = {}
        self._given: dict[Identity, tuple[str, str]] = {}
        for shard in shards:
            facts = read_facts(shard.folder)
            self._rejected |= {self._identity(shard.segment, obj_id) for obj_id in facts.rejected}
            for new, old in facts.same_as.items():
                self._same[self._identity(shard.segment, new)] = self._identity(shard.segment, old)
        for pair in pairs:
            if apart:
                later, earlier = self.root(pair.later, pair.after), self.root(pair.segment, pair.before)
                if later != earlier:
                    self._same[later] = earlier

    def _identity(self, segment: int, obj_id: int) -> Identity:
        return (segment if self._apart else _WHOLE_VIDEO, obj_id)

    def root(self, segment: int, obj_id: int) -> Identity:
        """The identity under which an object of a segment goes."""
        identity = self._identity(segment, obj_id)
        while identity in self._same:
            identity = self._same[identity]
        return identity

    def identify(self, shard: Shard, found: ShardObject) -> Identity | None:
        """The identity of a sighting; None where it is of an object that came to nothing."""
        if self._identity(shard.segment, found.obj_id) in self._rejected:
            return None
        return self.root(shard.segment, found.obj_id)

    def named(self, identity: Identity, label: str | None = None) -> tuple[str, str]:
        """Id and name of an identity; a found object gets the next number at its first use."""
        if self._objects:
            return self._objects[identity[1]]
        return self._given.setdefault(identity, (str(len(self._given) + 1), label or "object"))

    def number(self, identity: Identity, label: str | None = None) -> int:
        """A number for pictures and recordings, the same in all of them."""
        return identity[1] if self._objects else int(self.named(identity, label)[0])

    def known(self, segment: int, obj_id: int) -> tuple[str, str] | None:
        """Id and name of an object of a segment; None where it was never named."""
        identity = self.root(segment, obj_id)
        return self._objects.get(identity[1]) if self._objects else self._given.get(identity)
