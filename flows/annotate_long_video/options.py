"""Groups of `annotate_long_video`'s parameters."""

from typing import Literal

from pydantic import Field

from flows.options import Options

Mode = Literal["carry", "parallel"]


class Windows(Options):
    """How a video is cut into windows."""

    window_duration: float = Field(
        300, ge=1, le=86_400, description="Length of a window in seconds: what is lost at most by an interruption."
    )
    window_overlap: float = Field(
        30,
        ge=0,
        le=86_400,
        description="Seconds that a window shares with the next, to be joined there in mode parallel.",
    )
    mode: Mode = Field(
        "carry",
        description="Carry goes through the windows in order, as if there were none; parallel takes all at once and "
        "joins them.",
    )
