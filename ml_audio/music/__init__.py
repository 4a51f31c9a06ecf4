"""Music: a small GPT over MIDI-like tokens writes a piece, a synthesiser plays it.

`generate.generate_music(model, prompt, duration_s, seed, …)` is the way in; `model.load(folder)` gives the model.
"""
