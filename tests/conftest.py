"""What holds for every test: offline, few threads, and nothing of the caller's own settings."""

import os

# Before anything imports torch or reads settings.
os.environ.update(TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1", OMP_WAIT_POLICY="PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
for name in list(os.environ):
    if name.startswith(("MODEL_", "ML_", "GATEWAY_", "OPENAI_", "DESIGN_MODEL_")) or name in ("DATA_DIR", "LOG_LEVEL"):
        del os.environ[name]
