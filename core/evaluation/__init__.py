"""How good a result is, by the field's own metrics."""
