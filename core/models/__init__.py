"""Models by role: small Protocols, one module per backend, a registry that loads them by name."""
