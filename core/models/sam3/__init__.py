"""SAM 3 through transformers: a detector for any words, and a video segmenter."""
