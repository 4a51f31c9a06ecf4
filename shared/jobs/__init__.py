"""Durable jobs: a store of rows, a folder per job, and a worker that runs each as a child process. No torch."""
