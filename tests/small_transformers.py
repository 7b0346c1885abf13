"""Small models of the transformers library with random weights, saved to folders as the real ones are."""

from pathlib import Path

import torch

from benchmarks.small_sam3 import HEADS, LAYERS, hf, letters, video_config, vision_config

hf.utils.logging.disable_progress_bar()

WORDS = ["red", "blue", "ball", "car", "person", "dog", ".", "a"]


def save_small_grounding_dino(folder: Path, kind: str = "GroundingDino") -> Path:
    """A (MM) Grounding DINO of a few layers in the files of the published ones; its tokenizer knows `WORDS`."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    hf.BertTokenizerFast(vocab={word: index for index, word in enumerate(vocabulary)}).save_pretrained(folder)
    hf.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 160}).save_pretrained(folder)
    torch.manual_seed(0)
    config = getattr(hf, f"{kind}Config")(
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
    model = getattr(hf, f"{kind}ForObjectDetection")(config)
    with torch.no_grad():  # some of its scores are high, or nothing would be found
        for head in model.class_embed:
            if getattr(head, "bias", None) is not None:
                head.bias.zero_()
    model.save_pretrained(folder)
    return folder


def save_small_owlv2(folder: Path) -> Path:
    """An OWLv2 of a few layers; its tokenizer knows single letters."""
    tokenizer = letters()
    tokenizer.model_max_length = 32
    tokenizer.save_pretrained(folder)
    hf.Owlv2ImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    torch.manual_seed(0)
    layers = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = hf.Owlv2Config(
        text_config={
            **layers,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 32,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
        },
        vision_config={**layers, "image_size": 64, "patch_size": 16},
        projection_dim=32,
    )
    hf.Owlv2ForObjectDetection(config).save_pretrained(folder)
    return folder


def save_small_d_fine(folder: Path) -> Path:
    """A D-FINE of a few layers that knows six things."""
    hf.RTDetrImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    torch.manual_seed(0)
    backbone = hf.HGNetV2Config(
        depths=[1, 1, 1, 1], stem_channels=[3, 8, 8], stage_in_channels=[8, 16, 16, 16],
        stage_mid_channels=[8, 8, 8, 8], stage_out_channels=[16, 16, 16, 16], stage_num_blocks=[1, 1, 1, 1],
        stage_downsample=[False, True, True, True], stage_light_block=[False, False, True, True],
        stage_kernel_size=[3, 3, 3, 3], stage_numb_of_layers=[1, 1, 1, 1], hidden_sizes=[16, 16, 16, 16],
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = hf.DFineConfig(
        backbone_config=backbone, encoder_hidden_dim=32, encoder_in_channels=[16, 16, 16], encoder_layers=1,
        encoder_ffn_dim=32, encoder_attention_heads=2, d_model=32, num_queries=20, decoder_in_channels=[32, 32, 32],
        decoder_ffn_dim=32, decoder_layers=2, decoder_attention_heads=2, decoder_n_points=[2, 2, 2], num_denoising=0,
        id2label=dict(enumerate(["person", "bicycle", "car", "dog", "cell phone", "couch"])),
    )  # fmt: skip
    hf.DFineForObjectDetection(config).save_pretrained(folder)
    return folder


def save_small_edgetam(folder: Path) -> Path:
    """An EdgeTAM of a few layers."""
    image = hf.Sam2ImageProcessor(size={"height": 128, "width": 128})
    video = hf.Sam2VideoVideoProcessor(size={"height": 128, "width": 128})
    hf.Sam2VideoProcessor(image, video).save_pretrained(folder)
    torch.manual_seed(0)
    vision = hf.EdgeTamVisionConfig(
        backbone_config=hf.TimmWrapperConfig(
            architecture="repvit_m0_9", model_args={"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
        ),
        backbone_channel_list=[384, 192, 96, 48], backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
        fpn_hidden_size=128,
    )  # fmt: skip
    heads = {"hidden_size": 128, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32}
    config = hf.EdgeTamVideoConfig(
        vision_config=vision, prompt_encoder_config={"hidden_size": 128, "image_size": 128}, mask_decoder_config=heads,
        image_size=128, memory_attention_hidden_size=128, memory_attention_num_layers=1,
        memory_attention_mlp_hidden_size=32, memory_attention_rope_feat_sizes=[8, 8],
        memory_attention_rope_k_sizes=[4, 4], memory_encoder_hidden_size=128, memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128, memory_fuser_embed_dim=128, memory_fuser_intermediate_dim=32,
        perceiver_resampler_num_latents=16, perceiver_resampler_num_latents_2d=16, perceiver_resampler_hidden_size=64,
        perceiver_resampler_mlp_intermediate_size=32, perceiver_resampler_attention_head_dim=64,
        perceiver_resampler_num_layers=1,
    )  # fmt: skip
    model = hf.EdgeTamVideoModel(config)
    with torch.no_grad():  # sure that objects are there, or all its masks would be empty
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(2.0)
    model.save_pretrained(folder)
    return folder


def save_small_sam3_lite_text(folder: Path) -> Path:
    """A SAM 3 LiteText of a few layers; its tokenizer knows single letters."""
    tokenizer = letters()
    hf.Sam3Processor(hf.Sam3ImageProcessor(size={"height": 112, "width": 112}), tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    config = hf.Sam3LiteTextConfig(
        vision_config=vision_config(),
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 32, "projection_dim": 32,
            "num_hidden_layers": 3, "num_attention_heads": 2, "max_position_embeddings": 32,
        },
        geometry_encoder_config=LAYERS, detr_encoder_config=LAYERS, mask_decoder_config=HEADS,
        detr_decoder_config={**LAYERS, "num_queries": 20},
    )  # fmt: skip
    hf.Sam3LiteTextModel(config).save_pretrained(folder)
    return folder


def save_small_sam3(folder: Path) -> Path:
    """A SAM 3 of a few layers, detector and tracker in one folder as in the published one; knows single letters."""
    tokenizer = letters()
    image_processor = hf.Sam3ImageProcessor(size={"height": 112, "width": 112})
    video_processor = hf.Sam2VideoVideoProcessor(size={"height": 112, "width": 112})
    hf.Sam3VideoProcessor(image_processor, video_processor, tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    model = hf.Sam3VideoModel(video_config())
    with torch.no_grad():  # sure that objects are there, or all its masks would be empty
        model.tracker_model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(2.0)
    model.save_pretrained(folder)
    return folder
