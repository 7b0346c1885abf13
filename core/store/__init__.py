"""Files: atomic commits, content digests, manifests, safe loading, names and paths."""
