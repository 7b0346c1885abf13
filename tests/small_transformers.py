"""Small models of the transformers library with random weights, saved to folders as the real ones are."""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

# Its types do not know its own classes' arguments.
hf: Any = import_module("transformers")
hf.utils.logging.disable_progress_bar()

WORDS = ["red", "blue", "ball", "car", "person", "dog", ".", "a"]


def save_small_grounding_dino(folder: Path) -> Path:
    """A Grounding DINO of a few layers in the files of the published ones; its tokenizer knows `WORDS`."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    hf.BertTokenizerFast(vocab={word: index for index, word in enumerate(vocabulary)}).save_pretrained(folder)
    hf.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 160}).save_pretrained(folder)
    torch.manual_seed(0)
    config = hf.GroundingDinoConfig(
        backbone_config=hf.SwinConfig(
            image_size=96, embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2],
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=hf.BertConfig(
            vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
        ),
        d_model=32, encoder_layers=1, decoder_layers=2, num_queries=30, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, fusion_dropout=0.0,
    )  # fmt: skip
    hf.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    return folder


def _vision() -> Any:
    vit = hf.Sam3ViTConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=112,
        patch_size=14, window_size=4, global_attn_indexes=[1], pretrain_image_size=56,
    )  # fmt: skip
    sizes = [[32, 32], [16, 16], [8, 8]]
    return hf.Sam3VisionConfig(backbone_config=vit, fpn_hidden_size=128, backbone_feature_sizes=sizes)


def save_small_sam3(folder: Path) -> Path:
    """A SAM 3 of a few layers, detector and tracker in one folder as in the published one; knows single letters."""
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz")]
    vocabulary = {word: index for index, word in enumerate(["<|startoftext|>", "<|endoftext|>", *letters])}
    tokenizer = hf.CLIPTokenizerFast(vocab=vocabulary, merges=[])
    image_processor = hf.Sam3ImageProcessor(size={"height": 112, "width": 112})
    video_processor = hf.Sam2VideoVideoProcessor(size={"height": 112, "width": 112})
    hf.Sam3VideoProcessor(image_processor, video_processor, tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    small: dict[str, Any] = {"hidden_size": 128, "num_attention_heads": 2}
    layers: dict[str, Any] = {**small, "num_layers": 1, "intermediate_size": 32}
    detector = hf.Sam3Config(
        vision_config=_vision(),
        text_config=hf.CLIPTextConfig(
            vocab_size=len(vocabulary), hidden_size=32, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=32, projection_dim=32, bos_token_id=0, eos_token_id=1,
        ),
        geometry_encoder_config=hf.Sam3GeometryEncoderConfig(**layers),
        detr_encoder_config=hf.Sam3DETREncoderConfig(**layers),
        detr_decoder_config=hf.Sam3DETRDecoderConfig(**layers, num_queries=20),
        mask_decoder_config=hf.Sam3MaskDecoderConfig(**small),
    )  # fmt: skip
    tracker = hf.Sam3TrackerVideoConfig(
        vision_config=_vision(), image_size=112, memory_attention_hidden_size=128, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32, memory_encoder_hidden_size=128, memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128, memory_fuser_embed_dim=128, memory_fuser_intermediate_dim=32,
        prompt_encoder_config={"hidden_size": 128},
        mask_decoder_config={"hidden_size": 128, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
    )  # fmt: skip
    model = hf.Sam3VideoModel(hf.Sam3VideoConfig(detector_config=detector, tracker_config=tracker))
    with torch.no_grad():  # sure that objects are there, or all its masks would be empty
        model.tracker_model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(2.0)
    model.save_pretrained(folder)
    return folder
