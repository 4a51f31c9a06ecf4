"""Evaluations over HTTP: rows in SQLite, one run at a time, beside the requests."""
