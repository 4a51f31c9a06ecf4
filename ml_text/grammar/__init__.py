"""Structured output: a JSON schema becomes a mask over the tokens, and the document always closes in its budget."""

from ml_text.grammar.compiler import Grammar, GrammarCompiler
from ml_text.grammar.guard import Guard

__all__ = ["Grammar", "GrammarCompiler", "Guard"]
