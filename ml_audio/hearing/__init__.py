"""Families that transcribe, one file each. What they have in common is the Protocol in `listener`."""
