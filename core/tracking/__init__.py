"""Tracking the objects of one video: detection, association, birth, death, re-appearance."""
