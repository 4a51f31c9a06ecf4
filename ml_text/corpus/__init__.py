"""The corpus that the starter learns from: made here, from words written here, the same for the same seed.

    python -m ml_text.corpus OUT.jsonl --rows 100000 --seed 1

A story (topic, name, product, offer, date, place, mood) is drawn; a brief tells it as people do, a design tells it as ads do.
"""
