"""A kind of detector in the `transformers` library: what it is called there and here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """A kind of detector in the library.

    Attributes:
        name: what users call it.
        model_type: what its config.json says.
        model: its class.
        processor: the class of its processor.
        box_threshold: its authors' usual one: detections that score less are dropped.
        text_threshold: likewise of words, where it has one.
    """

    name: str
    model_type: str
    model: str
    processor: str
    box_threshold: float
    text_threshold: float = 0.0
