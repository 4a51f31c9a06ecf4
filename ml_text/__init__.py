"""The text service: chat, completions and designs from causal language models that run here."""
