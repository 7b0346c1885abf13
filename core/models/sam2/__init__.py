"""SAM 2 on video of any length: the package's weights and modules, a session of our own around them."""
