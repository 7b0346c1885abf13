"""How long items take on this machine: what earlier ones took, and what that says of those to come."""
