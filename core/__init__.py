"""What Maskflow computes. Knows neither Prefect nor flows."""
