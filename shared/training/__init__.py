"""What every trainer uses: the loop, checkpoints, progress, LoRA, quantised loading. Needs torch."""
