"""One file per provider; `gateway.model_adapter.PROVIDERS` lists them."""
