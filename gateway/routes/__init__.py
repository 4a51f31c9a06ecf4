"""One file per resource; `gateway.main` lists them."""
