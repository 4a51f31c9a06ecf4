"""The requests of one adapter, between two steps: who waits, who is being read, who has a row.

Rows are the cache's slots in the same order; a prompt still being read is the slot after the last row.
"""

from collections import deque

from ml_text.beams import BeamSearch
from ml_text.forward import Forward, RowCache
from ml_text.job import Job


class Group:
    def __init__(self, forward: Forward, cache: RowCache) -> None:
        self.forward = forward
        self.cache = cache
        self.rows: list[Job] = []
        self.reading: Job | None = None
        self.searches: list[BeamSearch] = []
        """Requests with beams: each has rows of its own in a cache of its own."""
        self.waiting: deque[Job] = deque()

    @property
    def busy(self) -> bool:
        return bool(self.rows or self.reading or self.searches or self.waiting)

    @property
    def before_first_token(self) -> list[Job]:
        return [*self.waiting, *([self.reading] if self.reading else [])]

    @property
    def started(self) -> list[Job]:
        return [*self.rows, *(search.job for search in list(self.searches))]

    def drop_cancelled(self) -> None:
        """To be called with the lock on `waiting`."""
        self.waiting = deque(job for job in self.waiting if not job.cancelled)
        self.searches = [search for search in self.searches if not search.job.cancelled]
        if self.reading and self.reading.cancelled:
            self.reading = None
        for index in reversed(range(len(self.rows))):
            if self.rows[index].cancelled:
                self.leave(index)

    def leave(self, index: int) -> None:
        """Take row `index` out and close the gap, so that slots stay 0…n-1."""
        last = len(self.rows) - 1
        if index != last:
            self.cache.move(last, index, self.rows[last].length)
            self.rows[index] = self.rows[last]
        self.rows.pop()
        if self.reading:
            self.cache.move(last + 1, last, self.reading.read)

    @property
    def longest(self) -> int:
        """The row that holds most."""
        return max(range(len(self.rows)), key=lambda index: self.rows[index].length)
