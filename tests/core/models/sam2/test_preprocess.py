import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.models.sam2.preprocess import prepare, resize_bicubic


@given(height=st.integers(1, 90), wider=st.integers(0, 90), size=st.integers(1, 120), hard=st.booleans())
@settings(max_examples=60, deadline=None)
def test_resampling_equals_pillow_byte_for_byte(height: int, wider: int, size: int, hard: bool) -> None:
    image = np.random.default_rng(height * 1000 + size).integers(0, 256, (height, height + wider, 3), np.uint8)
    if hard:  # bicubic overshoots at hard edges, where the clipping shows
        image = ((image > 127) * 255).astype(np.uint8)
    ours = resize_bicubic(torch.from_numpy(image), size, size).numpy()
    np.testing.assert_array_equal(ours, np.asarray(Image.fromarray(image).resize((size, size))))


def test_a_prepared_frame_is_normalised_as_the_package_does_it() -> None:
    image = np.arange(256, dtype=np.uint8)[:, None, None].repeat(256, axis=1).repeat(3, axis=2)
    prepared = prepare(image, 256, torch.device("cpu"))
    expected = torch.from_numpy(image / 255.0).permute(2, 0, 1).to(torch.float32)
    expected -= torch.tensor((0.485, 0.456, 0.406))[:, None, None]
    expected /= torch.tensor((0.229, 0.224, 0.225))[:, None, None]
    assert prepared.shape == (1, 3, 256, 256)
    assert torch.equal(prepared[0], expected)
