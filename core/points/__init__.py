"""3D point tracks from masks: clips, queries, batches, lifting, merging."""
