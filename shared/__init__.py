"""What gateway, services and workers all use. The light half never loads torch; `shared.training` does."""
