"""Families that speak, one file each. What they have in common is the Protocol in `speaker`."""
