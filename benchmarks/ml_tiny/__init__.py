"""A service of nothing but a trainer, for benchmarks/jobs.py."""
