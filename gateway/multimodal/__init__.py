"""One file per thing that a model makes; `gateway.routes.multimodal.OPERATIONS` lists them."""
