"""Parameters that flows share, in groups: sections of Prefect's form, mappings in a deployment, flags of a command."""

from dataclasses import dataclass
from logging import Logger, LoggerAdapter
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from core.errors import RefusedInput
from core.masks.draw import Style
from core.models.backend import Backend
from core.models.options import TEXT_THRESHOLD, ModelOptions
from core.models.registry import DETECTORS, SEGMENTERS
from core.models.role import Role
from core.models.roles import Detector, VideoSegmenter
from core.report.page import WARNING
from core.video.sampling import Part
from tasks.devices.slots import MAX_SLOTS
from tasks.devices.timeouts import STALL_TIMEOUT_S, Timeouts
from tasks.placement import Placement, choose_placement
from tasks.preparing import RunMode


@dataclass(frozen=True)
class BackendOf:
    """Marks a parameter as the name of one of a role's backends, or `auto`."""

    role: Role[Any]

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept the names that the registry has."""
        return core_schema.literal_schema(list(self.role.names))


class Positional:
    """Marks a parameter whose values may stand on the command line without its flag."""


@dataclass(frozen=True)
class Panel:
    """Marks the part of `--help` that a parameter is shown in."""

    title: str


INPUT, OUTPUT = Panel("Input"), Panel("Output")


class Options(BaseModel):
    """A group of parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Backends(Options):
    """What finds and what follows objects."""

    detector: Annotated[str, BackendOf(DETECTORS)] = Field(
        "auto",
        description="What finds the objects that the text names; auto takes the best whose weights are on disk.",
    )
    segmenter: Annotated[str, BackendOf(SEGMENTERS)] = Field(
        "auto", description="What follows them; auto takes the best whose weights are on disk."
    )


class Models(ModelOptions, Backends):
    """Which models find and follow objects."""

    def choose(self, text: str | None) -> tuple[Backend[Detector] | None, Backend[VideoSegmenter]]:
        """The detector, where there is a text, and the segmenter. Raises `RefusedInput` where one cannot serve."""
        finder = None
        if text is None and self.text_threshold is not None:
            raise RefusedInput.of(
                TEXT_THRESHOLD, self.text_threshold, "leave it out: without a text nothing is looked for"
            )
        if text is not None:
            finder = DETECTORS.choose(self.detector, self)
            finder.check_prompt(text)
            self._check_thresholds(finder)
        follower = SEGMENTERS.choose(self.segmenter, self)
        follower.check(self)  # last, since it may load a library
        if finder is not None:
            finder.check(self, text)
        return finder, follower

    def _check_thresholds(self, finder: Backend[Detector]) -> None:
        """Raises `RefusedInput` for a threshold that the detector does not have."""
        if self.text_threshold is not None and not any(
            part.startswith(TEXT_THRESHOLD) for part in finder.variant(self)
        ):
            remedy = f"leave it out: {finder.name} has none; grounding-dino and mm-grounding-dino do"
            raise RefusedInput.of(TEXT_THRESHOLD, self.text_threshold, remedy)

    def notes(self, detector: Backend[Detector] | None, segmenter: Backend[VideoSegmenter]) -> list[str]:
        """Which models are used, and where `auto` took a lesser one, what the best would need."""
        found_by = [] if detector is None else DETECTORS.notes(self.detector, detector, self)
        return found_by + SEGMENTERS.notes(self.segmenter, segmenter, self)


class Taken(Options):
    """Which part of the videos is processed, to try things out before a long run."""

    model_config = ConfigDict(title="Part", frozen=True, extra="forbid")
    limit: int | None = Field(None, ge=1, description="Only the first so many videos.")
    start: float = Field(0, ge=0, description="Only what is shown from this second of a video on.")
    end: float | None = Field(None, gt=0, description="Only what is shown before this second of a video.")

    @property
    def part(self) -> Part:
        """The times that are processed. Raises `RefusedInput` where there are none."""
        if self.end is not None and self.end <= self.start:
            raise RefusedInput.of("end", self.end, f"more than start = {self.start:g} seconds")
        return Part(self.start, self.end)


class Drawing(Options):
    """How annotated videos are drawn."""

    draw_labels: bool = Field(True, description="Write each object's number and label.")
    draw_boxes: bool = Field(True, description="Draw boxes around the masks.")
    line_width: int | None = Field(
        None, ge=1, le=50, description="Width of lines in pixels; by the size of the picture when left out."
    )

    @property
    def style(self) -> Style:
        """In the drawing's terms."""
        return Style(self.draw_labels, self.draw_boxes, self.line_width)


class Devices(Options):
    """Where the work is done."""

    gpu_ids: list[int] | None = Field(
        None,
        description="GPUs to use, repeats weight: 0 0 1 gives GPU 0 two slots; every GPU once when left out.",
    )
    num_workers: int | None = Field(
        None,
        ge=1,
        le=MAX_SLOTS,
        description="Items worked on at once; as many as gpu_ids when left out, without a GPU one per core.",
    )
    cluster: str | None = Field(
        None,
        description="Dask cluster to spread the work over, with shared storage or outputs at an address: "
        "tcp://HOST:PORT, or slurm:JOBS.",
    )


class Execution(Options):
    """How long items may take, and what becomes of those finished before."""

    stall_timeout: float = Field(
        STALL_TIMEOUT_S, gt=0, description="Seconds without progress after which an item is killed and has failed."
    )
    item_timeout: float | None = Field(
        None,
        gt=0,
        description="Seconds after which an item is killed and has failed, progress or not; no limit when left out.",
    )
    resume: bool = Field(True, description="Keep finished items; no-resume does all anew.")
    show_cached: bool = Field(
        False, description="Show items that were done before as task runs, too; else they are only counted."
    )
    plan: bool = Field(
        False, description="Do nothing; show what there is to do, how long it will take, and what it needs."
    )

    @property
    def mode(self) -> RunMode:
        """What the run does with its items."""
        return RunMode(self.resume, self.show_cached, self.plan)


def warn(log: LoggerAdapter[Logger] | Logger, text: str | None, *backends: Backend[Any] | None) -> list[str]:
    """Log the cautions of the backends that a run uses, as warnings; gives them for its summary and its report."""
    cautions = [caution for backend in backends if backend is not None for caution in backend.cautions(text or "")]
    for caution in cautions:
        log.warning(caution)
    return [f"{WARNING}: {caution}" for caution in cautions]


def place(devices: Devices, execution: Execution, uses_gpu: bool = True, per_gpu: int = 1) -> Placement:
    """The hosts and devices of a run. Raises `RefusedInput` for a GPU or cluster that is not there."""
    timeouts = Timeouts(execution.stall_timeout, execution.item_timeout)
    return choose_placement(devices.gpu_ids, devices.num_workers, devices.cluster, timeouts, uses_gpu, per_gpu)
