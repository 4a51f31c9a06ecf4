"""OpenAI's Responses API, built once on top of chat: so it works with every provider."""
