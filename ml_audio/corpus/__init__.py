"""What the starters learn from: sentences, read out by espeak-ng with the time of every phoneme. Not used in serving."""
