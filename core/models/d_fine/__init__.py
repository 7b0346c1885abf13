"""D-FINE through transformers (Peng et al., ICLR 2025): the 80 things of COCO, fast."""
