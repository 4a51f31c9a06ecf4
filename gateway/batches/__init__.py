"""Batches: a file of requests, answered when there is time. Each is a job of the queue `batch`, run by a gateway."""
