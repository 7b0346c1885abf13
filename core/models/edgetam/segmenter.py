"""EdgeTAM as a `VideoSegmenter`."""

from torch import Tensor

from core.models.device import default_device
from core.models.edgetam.names import MODEL, MODEL_TYPE, NAME, check_backbone
from core.models.library_session import LibraryModel, LibrarySegmenter
from core.models.pretrained import load_model, load_processor
from core.models.spec import ModelSpec
from core.video.frames import RGB


def load_edgetam(spec: ModelSpec) -> LibrarySegmenter:
    """The segmenter from a folder as `maskflow weights get edgetam` makes it. Raises as `load_model`."""
    check_backbone(spec.weights)
    model = load_model(MODEL, NAME, MODEL_TYPE, spec.weights, default_device())
    processor = load_processor("Sam2VideoProcessor", NAME, spec.weights)

    def prepare(image: RGB) -> Tensor:
        inputs = processor(images=image, return_tensors="pt", input_data_format="channels_last")
        pixels: Tensor = inputs["pixel_values"].to(model.device)
        return pixels

    return LibrarySegmenter(LibraryModel(model, processor, spec.name, prepare))
