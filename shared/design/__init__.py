"""The design spec: canvas sizes, the prompt, the schema, the checks, and the drawing. The same for every provider."""

from shared.design.asking import ask_for_design
from shared.design.brief import PLATFORMS, Brief
from shared.design.check import check, missing
from shared.design.draw import png, svg
from shared.design.explain import explain
from shared.design.facts import Facts, find_facts
from shared.design.prompt import brief_of, messages, response_format
from shared.design.records import dumps, read_record

__all__ = [
    "PLATFORMS",
    "Brief",
    "Facts",
    "ask_for_design",
    "brief_of",
    "check",
    "dumps",
    "explain",
    "find_facts",
    "messages",
    "missing",
    "png",
    "read_record",
    "response_format",
    "svg",
]
