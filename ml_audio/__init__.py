"""Speech, transcription, music and effects: a service that speaks the OpenAI wire format, and its trainers."""
