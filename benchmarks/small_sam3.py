"""A SAM 3 of a few layers, for benchmarks on the CPU and for tests: its sizes, and a tokenizer that knows letters."""

from importlib import import_module
from typing import Any

hf: Any = import_module("transformers")  # its types do not know its own classes' arguments
SIDE = 112
HEADS: dict[str, Any] = {"hidden_size": 128, "num_attention_heads": 2}
LAYERS: dict[str, Any] = {**HEADS, "num_layers": 1, "intermediate_size": 32}


def letters() -> Any:
    """A tokenizer of CLIP's kind that knows single letters. Its first token is none that begins a text, as in CLIP."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    words = ["!", "<|startoftext|>", "<|endoftext|>", *alphabet, *(f"{letter}</w>" for letter in alphabet)]
    return hf.CLIPTokenizerFast(vocab={word: index for index, word in enumerate(words)}, merges=[])


def vision_config() -> Any:
    """Of the image encoder."""
    vit = hf.Sam3ViTConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE,
        patch_size=14, window_size=4, global_attn_indexes=[1], pretrain_image_size=56,
    )  # fmt: skip
    sizes = [[32, 32], [16, 16], [8, 8]]
    return hf.Sam3VisionConfig(backbone_config=vit, fpn_hidden_size=128, backbone_feature_sizes=sizes)


def video_config() -> Any:
    """Of the whole model: detector and tracker."""
    detector = hf.Sam3Config(
        vision_config=vision_config(),
        text_config=hf.CLIPTextConfig(
            vocab_size=len(letters()), hidden_size=32, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=32, projection_dim=32, bos_token_id=1, eos_token_id=2,
        ),
        geometry_encoder_config=hf.Sam3GeometryEncoderConfig(**LAYERS),
        detr_encoder_config=hf.Sam3DETREncoderConfig(**LAYERS),
        detr_decoder_config=hf.Sam3DETRDecoderConfig(**LAYERS, num_queries=20),
        mask_decoder_config=hf.Sam3MaskDecoderConfig(**HEADS),
    )  # fmt: skip
    tracker = hf.Sam3TrackerVideoConfig(
        vision_config=vision_config(), image_size=SIDE, memory_attention_hidden_size=128, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32, memory_encoder_hidden_size=128, memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128, memory_fuser_embed_dim=128, memory_fuser_intermediate_dim=32,
        prompt_encoder_config={"hidden_size": 128},
        mask_decoder_config={"hidden_size": 128, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
    )  # fmt: skip
    return hf.Sam3VideoConfig(detector_config=detector, tracker_config=tracker)
