"""A SAM 2 of another size than the published ones: the package's own modules, sized by what its weights file says."""

from functools import partial
from itertools import accumulate
from typing import Annotated, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam.mask_decoder import MaskDecoder
from sam2.modeling.sam.transformer import RoPEAttention, TwoWayTransformer
from sam2.modeling.sam2_base import SAM2Base

from core.models.sam2.build import CONDITIONING_FRAMES

_STRIDE = 16
Blocks = Annotated[int, Field(ge=1, le=64)]
Window = Annotated[int, Field(ge=1, le=64)]


class Architecture(BaseModel):
    """Sizes of a SAM 2; everything else is as in the published SAM 2.1 models.

    Attributes:
        image_size: side of the square it was trained on, pixels.
        embed_dim: channels of the image encoder's first stage; each later stage has twice as many.
        stages: blocks of the image encoder's four stages.
        global_attention: blocks that attend to the whole image, counted from 0; none that begins a stage.
        windows: side of the attention windows in each stage, tokens.
        dim: channels of the features that the decoder reads.
        memory_dim: channels of a memory.
        memory_layers: layers of the memory attention.
        fuser_layers: layers of the memory encoder.
        feed_forward: hidden channels in each of them, and in each layer of the decoder.
        decoder_heads: attention heads of the decoder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    image_size: int = Field(ge=64, le=2048, multiple_of=32)
    embed_dim: int = Field(ge=8, le=256)
    stages: tuple[Blocks, Blocks, Blocks, Blocks]
    global_attention: tuple[int, ...]
    windows: tuple[Window, Window, Window, Window]
    dim: int = Field(ge=32, le=512, multiple_of=32)
    memory_dim: int = Field(ge=8, le=512)
    memory_layers: int = Field(ge=1, le=8)
    fuser_layers: int = Field(ge=1, le=8)
    feed_forward: int = Field(ge=16, le=4096)
    decoder_heads: int = Field(ge=1, le=16)

    @property
    def least_parameters(self) -> int:
        """Those of the image encoder's blocks alone, but for a part of each stage's first one."""
        widths = (self.embed_dim * 2**stage for stage in range(4))
        return sum(12 * (blocks - 1) * width**2 for blocks, width in zip(self.stages, widths, strict=True))

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        firsts = set(accumulate(self.stages, initial=0))  # the blocks in which a stage begins, which pool in windows
        if not all(0 < block < sum(self.stages) and block not in firsts for block in self.global_attention):
            raise ValueError("global_attention names blocks that begin a stage, or are not there")
        if self.windows[0] not in (1, 2, 4, 8) or any(window % 2 for window in self.windows[:3]):
            raise ValueError("windows are even but for the last, and the first is 2, 4 or 8")
        if self.memory_dim % 2 or self.dim % self.memory_dim:
            raise ValueError("memory_dim is even, and dim a multiple of it")
        if self.dim // 2 % self.decoder_heads:
            raise ValueError("half of dim is a multiple of decoder_heads")
        return self


def build_architecture(
    architecture: Architecture,
    device: torch.device,
    image_size: int | None = None,
    conditioning_frames: int = CONDITIONING_FRAMES,
) -> SAM2Base:
    """The model with random weights, in evaluation mode, set up as `build` sets up a published one.

    Args:
        architecture: its sizes.
        device: where it runs.
        image_size: side of the square it sees, a multiple of 32; None: the one it was trained on.
        conditioning_frames: see `build`.
    """
    size = image_size or architecture.image_size
    model = SAM2Base(
        image_encoder=_image_encoder(architecture),
        memory_attention=_memory_attention(architecture, size // _STRIDE),
        memory_encoder=_memory_encoder(architecture),
        image_size=size,
        sigmoid_scale_for_mem_enc=20.0,
        sigmoid_bias_for_mem_enc=-10.0,
        use_mask_input_as_output_without_sam=True,
        directly_add_no_mem_embed=True,
        no_obj_embed_spatial=True,
        use_high_res_features_in_sam=True,
        multimask_output_in_sam=True,
        iou_prediction_use_sigmoid=True,
        use_obj_ptrs_in_encoder=True,
        add_tpos_enc_to_obj_ptrs=True,
        proj_tpos_enc_in_obj_ptrs=True,
        use_signed_tpos_enc_to_obj_ptrs=True,
        only_obj_ptrs_in_the_past_for_eval=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        fixed_no_obj_ptr=True,
        multimask_output_for_tracking=True,
        use_multimask_token_for_obj_ptr=True,
        multimask_min_pt_num=0,
        multimask_max_pt_num=1,
        use_mlp_for_obj_ptr_proj=True,
        max_cond_frames_in_attn=conditioning_frames,
        binarize_mask_from_pts_for_mem_enc=True,
    )
    model.sam_mask_decoder = _mask_decoder(architecture)  # the package's own has 8 heads and 2,048 hidden channels
    return model.to(device).eval()


def _image_encoder(sizes: Architecture) -> ImageEncoder:
    return ImageEncoder(
        scalp=1,
        trunk=Hiera(
            embed_dim=sizes.embed_dim,
            num_heads=1,
            stages=sizes.stages,
            global_att_blocks=sizes.global_attention,
            window_spec=sizes.windows,
            window_pos_embed_bkg_spatial_size=(7, 7),
        ),
        neck=FpnNeck(
            position_encoding=_positions(sizes.dim),
            d_model=sizes.dim,
            backbone_channel_list=[sizes.embed_dim * factor for factor in (8, 4, 2, 1)],
            fpn_top_down_levels=[2, 3],
            fpn_interp_model="nearest",
        ),
    )


def _memory_attention(sizes: Architecture, side: int) -> MemoryAttention:
    attention = partial(
        RoPEAttention,
        rope_theta=10000.0,
        feat_sizes=(side, side),
        embedding_dim=sizes.dim,
        num_heads=1,
        downsample_rate=1,
        dropout=0.0,
    )
    layer = MemoryAttentionLayer(
        activation="relu",
        dim_feedforward=sizes.feed_forward,
        dropout=0.0,
        pos_enc_at_attn=False,
        self_attention=attention(),
        d_model=sizes.dim,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        cross_attention=attention(rope_k_repeat=True, kv_in_dim=sizes.memory_dim),
    )
    return MemoryAttention(d_model=sizes.dim, pos_enc_at_input=True, layer=layer, num_layers=sizes.memory_layers)


def _memory_encoder(sizes: Architecture) -> MemoryEncoder:
    return MemoryEncoder(
        out_dim=sizes.memory_dim,
        in_dim=sizes.dim,
        position_encoding=_positions(sizes.memory_dim),
        mask_downsampler=MaskDownSampler(embed_dim=sizes.dim, kernel_size=3, stride=2, padding=1),
        fuser=Fuser(
            CXBlock(dim=sizes.dim, kernel_size=7, padding=3, layer_scale_init_value=1e-6), num_layers=sizes.fuser_layers
        ),
    )


def _mask_decoder(sizes: Architecture) -> MaskDecoder:
    return MaskDecoder(
        num_multimask_outputs=3,
        transformer=TwoWayTransformer(
            depth=2, embedding_dim=sizes.dim, num_heads=sizes.decoder_heads, mlp_dim=sizes.feed_forward
        ),
        transformer_dim=sizes.dim,
        iou_head_depth=3,
        iou_head_hidden_dim=sizes.dim,
        use_high_res_features=True,
        iou_prediction_use_sigmoid=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        use_multimask_token_for_obj_ptr=True,
        dynamic_multimask_via_stability=True,
        dynamic_multimask_stability_delta=0.05,
        dynamic_multimask_stability_thresh=0.98,
    )


def _positions(channels: int) -> PositionEmbeddingSine:
    return PositionEmbeddingSine(num_pos_feats=channels, normalize=True, scale=None, temperature=10000)
