"""VGGT (Wang et al., "VGGT: Visual Geometry Grounded Transformer", CVPR 2025), from the package its user installs."""
