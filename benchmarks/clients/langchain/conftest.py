"""Which of LangChain's standard tests ask for a clever model; checks_calls.py has what of them the server owes."""

import pytest

CLEVER = {
    "test_tool_calling": "the argument must be the 3 that the question names",
    "test_tool_calling_async": "the argument must be the 3 that the question names",
    "test_tool_calling_with_no_arguments": "one call must be enough to the model, and two are allowed to it",
    "test_json_mode": "the keys are named in the question only",
    "test_agent_loop": "the model must want to call the tool",
    "test_unicode_tool_call_integration": "the argument must be the name that the question has",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if reason := CLEVER.get(getattr(item, "originalname", "")):
            item.add_marker(pytest.mark.skip(reason=f"needs a clever model: {reason}"))
