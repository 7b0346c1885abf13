"""What the page can ask its server for."""
