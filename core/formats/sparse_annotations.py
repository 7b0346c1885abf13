"""Sparse annotations of one video: objects, each shown by boxes or masks on a few frames. Every source of prompts
(HD-EPIC, VISOR, a prompts file) is read into this form."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.formats.prompt_fit import doubt, misfit
from core.formats.prompts import CheckedRLE, Pixels, Point, PromptEntry
from core.masks import Box, rle
from core.masks.boxes import clip_box


class SparsePrompt(BaseModel):
    """What is known of an object on one frame, in pixels of the source: a box, points or a mask.

    Attributes:
        frame: source frame.
        box: xyxy.
        points: x, y and 1 (on the object) or 0.
        mask: COCO RLE of the whole picture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    frame: int = Field(ge=0)
    box: tuple[Pixels, Pixels, Pixels, Pixels] | None = None
    points: tuple[Point, ...] = ()
    mask: CheckedRLE | None = None

    @model_validator(mode="after")
    def _tells_an_object(self) -> Self:
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError(f"a box is x0, y0, x1, y1 with x0 < x1 and y0 < y1, not {list(self.box)}")
        if self.box is None and self.mask is None and not any(positive for _, _, positive in self.points):
            raise ValueError("give a box, a mask, or points with at least one on the object")
        return self

    @property
    def extent(self) -> Box | None:
        """The box the object fills, as far as the prompt says."""
        return self.box if self.box is not None else None if self.mask is None else rle.box_xyxy(self.mask)


class AnnotatedObject(BaseModel):
    """One object of a video.

    Attributes:
        assoc_id: its identity in the source of the annotations; it is the identity in the results.
        name: what it is called.
        prompts: ascending, one a frame.
        segments: times in seconds between which the source says that something is going on with it.
        gone: frames from which on it is not there, until the next prompt.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    assoc_id: str
    name: str
    prompts: tuple[SparsePrompt, ...]
    segments: tuple[tuple[float, float], ...] = ()
    gone: tuple[int, ...] = ()


@dataclass(frozen=True)
class Problem:
    """An annotation that could not be used: where it stands, and why not; `lost`: for want of others a whole object."""

    where: str
    what: str
    lost: bool = False


@dataclass
class SparseAnnotations:
    """The objects of one video, what could not be used, and the names of objects that are said to be moved."""

    objects: list[AnnotatedObject] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)

    def add(
        self,
        assoc_id: str,
        name: str,
        prompts: Iterable[SparsePrompt],
        segments: Iterable[tuple[float, float]],
        gone: Iterable[int] = (),
    ) -> None:
        """Add an object. Of several prompts on one frame the first counts."""
        by_frame: dict[int, SparsePrompt] = {}
        for prompt in prompts:
            if by_frame.setdefault(prompt.frame, prompt) != prompt:
                self.problems.append(
                    Problem(f"{assoc_id} ({name})", f"more than one annotation on frame {prompt.frame}")
                )
        if not by_frame:
            what = "no annotation that can be used: not annotated"
            self.problems.append(Problem(f"{assoc_id} ({name})", what, lost=True))
            return
        ascending = tuple(by_frame[frame] for frame in sorted(by_frame))
        ends = tuple(sorted(set(gone)))
        self.objects.append(
            AnnotatedObject(assoc_id=assoc_id, name=name, prompts=ascending, segments=tuple(segments), gone=ends)
        )


def from_prompts(entries: Iterable[PromptEntry]) -> SparseAnnotations:
    """The objects of one video of a prompts file; an object's id is its `obj_id` as text."""
    found = SparseAnnotations()
    by_id: dict[str, list[PromptEntry]] = {}
    for entry in entries:
        by_id.setdefault(str(entry.obj_id), []).append(entry)
    for assoc_id, own in by_id.items():
        name = next((entry.label for entry in own if entry.label), assoc_id)
        there = [entry for entry in own if not entry.gone]
        shown = (SparsePrompt(frame=e.frame, box=e.box, points=tuple(e.points), mask=e.mask) for e in there)
        found.add(assoc_id, name, shown, (), (entry.frame for entry in own if entry.gone))
    return found


def fit(annotations: SparseAnnotations, width: int, height: int, frames: int) -> SparseAnnotations:
    """What of the annotations lies in a video of this size and length; boxes are cut at the picture's edge."""
    fitted = SparseAnnotations(problems=list(annotations.problems), moved=annotations.moved)
    for one in sorted(annotations.objects, key=lambda one: one.assoc_id):
        kept = []
        for prompt in one.prompts:
            late = prompt.frame >= frames
            wrong = f"the video ends with frame {frames - 1}" if late else misfit(prompt, width, height)
            odd = wrong or doubt(prompt, width, height)
            if odd is not None:
                fitted.problems.append(Problem(f"{one.assoc_id} ({one.name}), frame {prompt.frame}", odd))
            if wrong is not None:
                continue
            box = prompt.box and clip_box(prompt.box, width, height)
            kept.append(prompt.model_copy(update={"box": box}))
        fitted.add(one.assoc_id, one.name, kept, one.segments, one.gone)
    return fitted


def held_out(
    objects: Sequence[AnnotatedObject], share: float, kept: Collection[tuple[str, int]]
) -> tuple[list[AnnotatedObject], dict[str, list[SparsePrompt]]]:
    """Take a share of all prompts away, spread evenly, so that what comes out can be judged by them.

    The same annotations always lose the same prompts.

    Args:
        objects: with all their prompts.
        share: of all prompts, 0..1; fewer are taken where there are not so many to spare.
        kept: `assoc_id` and frame of prompts that have to stay.

    Returns:
        the objects with the prompts they keep, and the prompts taken away by `assoc_id`.
    """
    spare = [
        (one.assoc_id, prompt.frame)
        for one in objects
        for prompt in one.prompts
        if prompt.extent is not None and (one.assoc_id, prompt.frame) not in kept
    ]
    wanted = min(len(spare), round(share * sum(len(one.prompts) for one in objects)))
    taken = {spare[(2 * turn + 1) * len(spare) // (2 * wanted)] for turn in range(wanted)}
    left, out = [], {}
    for one in objects:
        stay = tuple(prompt for prompt in one.prompts if (one.assoc_id, prompt.frame) not in taken)
        gone = [prompt for prompt in one.prompts if (one.assoc_id, prompt.frame) in taken]
        left.append(one.model_copy(update={"prompts": stay}))
        if gone:
            out[one.assoc_id] = gone
    return left, out
