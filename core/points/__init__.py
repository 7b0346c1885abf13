"""3D point tracks from masks: queries, batches, tracking, merging."""
