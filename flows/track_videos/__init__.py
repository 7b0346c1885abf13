"""Track what a text names, or what boxes point at, through many videos."""
