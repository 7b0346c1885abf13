"""What SAM 2 computes in: half precision on a GPU, as the package's users run it; on the CPU exactly, or fast."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from core.errors import Unavailable
from core.models.device import half_precision

_QUERIES = 256


@contextmanager
def computing(device: torch.device, fast: bool) -> Iterator[None]:
    """A context in which SAM 2 computes; `fast` matters on the CPU alone."""
    with torch.inference_mode():
        if fast and device.type == "cpu":
            with torch.autocast("cpu", torch.bfloat16), _AttentionInParts():
                yield
        else:
            with half_precision(device):
                yield


def check_fast() -> None:
    """Raises `Unavailable` where this CPU does not compute in bfloat16: it would be slower, not faster."""
    can = torch.cpu.get_capabilities()
    if not any(can.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")):
        raise Unavailable(f"sam_precision = 'fast' needs a CPU with bfloat16, which {can['cpu_name']} lacks: use exact")


class _AttentionInParts(TorchFunctionMode):
    """Attention as plain matrix products of 256 queries each.

    On CPUs torch's own kernel works at fp32's speed also in bfloat16; this is 1.4 to 1.7 times faster.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        plain = len(args) == 3 and not given.pop("dropout_p", 0.0) and not given  # no mask, the usual scale
        if plain and function is functional.scaled_dot_product_attention:
            return attention_in_parts(*args)
        return function(*args, **(kwargs or {}))


def attention_in_parts(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(C)) V for [..., N, C], [..., M, C], [..., M, C] in bfloat16."""
    query = query.to(torch.bfloat16) * (1 / math.sqrt(query.shape[-1]))
    key, value = key.to(torch.bfloat16).transpose(-2, -1).contiguous(), value.to(torch.bfloat16)
    parts = [(part @ key).softmax(-1) @ value for part in torch.split(query, _QUERIES, dim=-2)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)
