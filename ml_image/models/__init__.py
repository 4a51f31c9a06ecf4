"""Networks that are the project's own, and the sizes that the ones from scratch come in."""
