"""Reading data sets: files row by row, rows as chats or plain text, those as token samples.

`python -m ml_text.data prepare IN OUT` cleans a data set.
"""

from ml_text.data.encoding import encode, encode_pairs, encode_preferences
from ml_text.data.files import digest, rows
from ml_text.data.preferences import Preference, preference, read_preferences
from ml_text.data.records import PAIRS, Messages, Record, Skipped, check_row, note, read, record, texts

__all__ = [
    "PAIRS",
    "Messages",
    "Preference",
    "Record",
    "Skipped",
    "check_row",
    "digest",
    "encode",
    "encode_pairs",
    "encode_preferences",
    "note",
    "preference",
    "read",
    "read_preferences",
    "record",
    "rows",
    "texts",
]
