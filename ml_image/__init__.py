"""The image service: pictures from words and from pictures, and the training of such models."""
