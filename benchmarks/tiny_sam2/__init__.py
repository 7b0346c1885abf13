"""A SAM 2 of two million parameters, trained here on rendered clips: so that tests see what a trained model says."""
