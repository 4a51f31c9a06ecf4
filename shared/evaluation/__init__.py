"""Evaluation of models that answer in text: metrics, the runs that feed them, and the report of one or two sides."""
