"""Architectures that transformers lacks, one per file, and the spectrograms that models read and make."""
