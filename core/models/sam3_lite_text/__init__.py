"""SAM 3 LiteText through transformers: SAM 3's detector with a text encoder a tenth of the size."""
