"""Real faces: kept once per key, and put into pictures in processes beside the gateway's own."""
