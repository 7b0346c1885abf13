"""What a person put right, applied to results: what is tracked again from where, and what it changes."""
