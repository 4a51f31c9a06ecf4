"""The types on the wire, one file per resource: OpenAI's field names, pydantic and the standard library only.

Unknown fields are tolerated. A field that would change the answer and is not offered is refused by name.
"""
