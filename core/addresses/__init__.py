"""Files that are elsewhere, in object storage or on the web: read in pieces, kept in a local cache, written whole."""
