"""Families that make music, one file each. What they have in common is the Protocol in `composer`."""
