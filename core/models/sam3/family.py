"""SAM 3 among the detectors of the library."""

from core.models.family import Family

FAMILY = Family("sam3", "sam3_video", "Sam3VideoModel", "Sam3Processor", box_threshold=0.5)
