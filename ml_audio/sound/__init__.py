"""Recordings in and out: reading, resampling, loudness, joining, encoding. No torch."""
