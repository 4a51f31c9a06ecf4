"""Structured output: a JSON schema becomes a mask over the tokens, and the document always closes in its budget."""

from ml_text.grammar.compiler import Grammar, GrammarCompiler
from ml_text.grammar.guard import Guard
from ml_text.grammar.tools import CallPlan, CallShape

__all__ = ["CallPlan", "CallShape", "Grammar", "GrammarCompiler", "Guard"]
