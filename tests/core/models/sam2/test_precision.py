"""Fast SAM 2 on the CPU: bfloat16, with attention as matrix products."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sam2.modeling.sam2_base import SAM2Base
from torch.nn import functional

from core.errors import Unavailable
from core.models.sam2.precision import attention_in_parts, check_fast, computing
from core.models.sam2.predictor import StreamingPredictor, Window
from core.prompts import Prompt
from core.video.frames import RGB

CPU = torch.device("cpu")


@given(
    heads=st.integers(1, 3), queries=st.integers(1, 600), keys=st.integers(1, 40), channels=st.sampled_from([4, 16, 32])
)
def test_attention_in_parts_is_attention(heads: int, queries: int, keys: int, channels: int) -> None:
    generator = torch.Generator().manual_seed(queries)
    query = torch.randn(2, heads, queries, channels, generator=generator)
    key, value = (torch.randn(2, heads, keys, channels, generator=generator) for _ in range(2))
    expected = functional.scaled_dot_product_attention(query, key, value)
    found = attention_in_parts(query, key, value)
    assert found.dtype == torch.bfloat16
    assert found.shape == expected.shape
    assert (found.float() - expected).abs().max() < 0.06


def test_only_what_is_computed_fast_is_in_half_precision() -> None:
    values = torch.randn(4, 4)
    with computing(CPU, fast=True):
        assert (values @ values).dtype == torch.bfloat16
        attended = functional.scaled_dot_product_attention(values[None], values[None], values[None])
        assert attended.dtype == torch.bfloat16
    with computing(CPU, fast=False):
        assert (values @ values).dtype == torch.float32
    assert (values @ values).dtype == torch.float32


def test_attention_with_a_mask_is_left_to_torch() -> None:
    values = torch.randn(1, 8, 4)
    mask = torch.ones(8, 8, dtype=torch.bool).tril()
    expected = functional.scaled_dot_product_attention(values, values, values, attn_mask=mask)
    with computing(CPU, fast=True):
        found = functional.scaled_dot_product_attention(values, values, values, attn_mask=mask)
    assert (found.float() - expected).abs().max() < 0.06


def test_fast_masks_are_nearly_the_exact_ones(model: SAM2Base, frames: list[RGB]) -> None:
    exact, fast = (StreamingPredictor(model, Window(90, 160), fast=one) for one in (False, True))
    for index in range(4):
        for predictor in (exact, fast):
            predictor.advance(frames[index])
            if index == 0:
                predictor.add(1, Prompt(box=(8, 35, 28, 55)))
    one, other = (predictor.objects[1].recent[3].logits for predictor in (exact, fast))
    assert one is not None
    assert other is not None
    assert other.dtype == torch.float32
    assert np.mean(((one > 0) == (other > 0)).numpy()) > 0.97


def test_a_cpu_without_bfloat16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "New", "amx_bf16": True})
    check_fast()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "Old", "avx512_bf16": False})
    with pytest.raises(Unavailable, match="needs a CPU with bfloat16, which Old lacks: use exact"):
        check_fast()
