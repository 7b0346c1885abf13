"""EdgeTAM through transformers (Zhou et al., CVPR 2025): SAM 2 for small devices."""
