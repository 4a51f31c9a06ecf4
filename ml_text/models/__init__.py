"""Architectures that transformers lacks, one per file."""
