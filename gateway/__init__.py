"""The public API in front of whichever provider the environment names; it never loads torch."""
