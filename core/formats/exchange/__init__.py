"""Results in the formats people use: one neutral model, and a module for each format that reads and writes it."""
