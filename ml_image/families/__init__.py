"""One file per way of denoising: how a prompt is read, and what the network is asked at each step."""
