"""Continuous batching: one thread per loaded model runs prompts and steps; requests enter and leave between steps.

Requests of one adapter form a `Group` with its own cache and its own forward pass, so a reply can only come from the
adapter that was asked for. A beam search is a request with rows of its own, one step of which goes between the others.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

from ml_text.beams import BeamSearch
from ml_text.forward import Forward, RowCache
from ml_text.groups import Group
from ml_text.job import Delta, Job
from ml_text.slots import Decode, Prefill
from shared.errors import OutOfMemory, Overloaded, ServiceError
from shared.training import memory

log = logging.getLogger(__name__)


class Batcher:
    """Owns the thread in which one model runs. `submit` and `cancel` may be called from any thread."""

    def __init__(
        self,
        name: str,
        new_cache: Callable[[], RowCache],
        *,
        slots: int,
        queue_size: int,
        prefill_tokens: int,
        deliver: Callable[[list[tuple[Job, Delta]]], None] | None = None,
    ) -> None:
        self._new_cache, self._slots = new_cache, slots
        self._queue_size, self._prefill_tokens = queue_size, prefill_tokens
        self._deliver = deliver or _emit_each
        self._groups: dict[str, Group] = {}
        self._calls: deque[Callable[[], None]] = deque()
        self._outbox: list[tuple[Job, Delta]] = []
        self._wake = threading.Condition()
        self._closed = False
        self.generated = 0
        self._thread = threading.Thread(target=self._run, name=f"batcher {name}", daemon=True)
        self._thread.start()

    # from any thread

    def submit(self, job: Job, forward: Forward) -> None:
        """Queue a job for its group; raises Overloaded when as many wait already as may wait."""
        with self._wake:
            if self._closed:
                raise Overloaded("the model is being unloaded", retry_after_s=1)
            if self.waiting >= self._queue_size + max(self._slots - self.running, 0):
                raise Overloaded(f"{self.waiting} requests wait already", retry_after_s=1)
            if job.group not in self._groups:
                self._groups[job.group] = Group(forward, self._new_cache())
            self._groups[job.group].waiting.append(job)
            self._wake.notify()

    def cancel(self, job: Job) -> None:
        """Stop a job before the next step; nothing more is emitted for it."""
        with self._wake:
            job.cancelled = True
            self._wake.notify()

    def call(self, function: Callable[[], None]) -> None:
        """Run `function` in the batcher's thread between two steps and wait for it; what it raises is raised here."""
        done = threading.Event()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                function()
            except BaseException as error:
                failed.append(error)
            done.set()

        with self._wake:
            self._calls.append(run)
            self._wake.notify()
        done.wait()
        if failed:
            raise failed[0]

    def close(self) -> None:
        """End the thread after the current step; jobs still there get an error."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    @property
    def waiting(self) -> int:
        groups = list(self._groups.values())
        return sum(not job.cancelled for group in groups for job in group.before_first_token)

    @property
    def running(self) -> int:
        return sum(not job.cancelled for group in list(self._groups.values()) for job in group.started)

    # in the batcher's thread

    @torch.inference_mode()
    def _run(self) -> None:
        while True:
            with self._wake:
                while not (self._closed or self._calls or any(group.busy for group in self._groups.values())):
                    self._wake.wait()
                if self._closed:
                    break
                calls = [self._calls.popleft() for _ in range(len(self._calls))]
            for call in calls:
                call()
            self._step()
        for group in self._groups.values():
            for job in [*group.started, *group.before_first_token]:
                self._fail(job, Overloaded("the model was unloaded", retry_after_s=1))
        self._flush()

    def _step(self) -> None:
        """Drop what was cancelled, read some of the prompts, then one more token for every row."""
        budget = self._prefill_tokens
        for key, group in list(self._groups.items()):
            with self._wake:
                group.drop_cancelled()
            while budget > 0 and (spent := self._read_some(group, budget)):
                budget -= spent
            for search in list(group.searches):
                self._search(group, search)
            if group.rows:
                self._decode(group)
            with self._wake:
                if not group.busy:  # its cache goes too
                    del self._groups[key]
        self._flush()

    def _read_some(self, group: Group, budget: int) -> int:
        """Put up to `budget` tokens of the next prompt into the cache; how many, 0 when there is nothing to read."""
        if group.reading is None:
            with self._wake:
                if not group.waiting or self.running >= self._slots:
                    return 0
                job = group.waiting.popleft()
                if job.beams:
                    search = BeamSearch(job, group.forward, self._new_cache(), self._prefill_tokens)
                    group.searches.append(search)
                    return 1
                group.reading = job
        job, slot = group.reading, len(group.rows)
        # a prompt is cut at the same places whoever else is there, so its numbers are the same too
        count = min(len(job.prompt_ids) - job.read, self._prefill_tokens)
        try:
            source = job.source(group.cache.rows.device)
            group.cache.reserve(slot + 1, job.read + count + 1, len(job.source_ids or ()))
            ids = torch.tensor([job.prompt_ids[job.read : job.read + count]], device=group.cache.rows.device)
            keep = 1 if job.logprobs is None else job.logprobs.positions(count)
            logits = group.forward(ids, Prefill(slot, job.read, count, source), group.cache, keep)[0]
            job.score_prompt(logits, count)
            job.read += count
            if job.read == len(job.prompt_ids):
                group.reading = None
                if not job.max_tokens:  # only its prompt was to be read
                    self._outbox.append((job, job.close()))
                    return count
                group.rows.append(job)
                if self._add(job, job.sampler.pick(logits[-1], job.prompt_ids, [], job.mask), logits[-1]):
                    group.leave(len(group.rows) - 1)
        except Exception as error:  # this request's alone: the others and the thread go on
            if group.reading is job:
                group.reading = None
            elif group.rows and group.rows[-1] is job:
                group.rows.pop()
            self._fail(job, error)
        return count + len(job.source_ids or ())

    def _search(self, group: Group, search: BeamSearch) -> None:
        """One step of a beam search."""
        try:
            answers = search.step()
            self.generated += sum(delta.tokens for delta in answers)
        except Exception as error:
            self._fail(search.job, error)
            group.searches.remove(search)
            return
        if answers:
            self._outbox += [(search.job, delta) for delta in answers]
            group.searches.remove(search)

    def _decode(self, group: Group) -> None:
        if not self._make_room(group):
            return
        rows, cache = group.rows, group.cache
        lengths = [job.length for job in rows]
        device = cache.rows.device
        ids = torch.tensor([[job.output_ids[-1]] for job in rows], device=device)
        try:
            logits = group.forward(ids, Decode(torch.tensor(lengths, device=device), max(lengths)), cache)[:, -1]
            best = logits.max(-1)
            tops, finite = best.indices.tolist(), best.values.isfinite().tolist()
        except Exception as error:
            self._decode_failed(group, error)
            return
        for index in reversed(range(len(rows))):  # from the end, so that a row that leaves does not move the rest
            job = rows[index]
            try:
                plain = job.plain and finite[index]
                token = (
                    tops[index] if plain else job.sampler.pick(logits[index], job.prompt_ids, job.output_ids, job.mask)
                )
                done = self._add(job, token, logits[index])
            except Exception as error:
                self._fail(job, error)
                done = True
            if done:
                group.leave(index)

    def _make_room(self, group: Group) -> bool:
        """The cache holds one more position of every row; rows that cannot have it are refused, longest first."""
        while group.rows:
            slots = len(group.rows) + (group.reading is not None)
            longest = group.longest
            try:
                group.cache.reserve(slots, Decode(group.cache.rows, group.rows[longest].length).length)
                return True
            except Exception as error:
                self._fail(group.rows[longest], error)
                group.leave(longest)
        return False

    def _decode_failed(self, group: Group, error: Exception) -> None:
        """Out of memory: only the longest row has to go; any other failure concerns every row of this pass."""
        if memory.is_out_of_memory(error):
            longest = group.longest
            self._fail(group.rows[longest], error)
            group.leave(longest)
            return
        for job in group.rows:
            self._fail(job, error)
        while group.rows:
            group.leave(len(group.rows) - 1)

    def _add(self, job: Job, token: int, logits: Tensor) -> bool:
        """Add `token`, picked from `logits` (V,), to the answer; True when that was the last one."""
        delta = job.add(token, logits)
        self.generated += 1
        if delta:
            self._outbox.append((job, delta))
        return delta is not None and delta.finish_reason is not None

    def _fail(self, job: Job, error: Exception) -> None:
        if memory.is_out_of_memory(error):
            error = OutOfMemory("this request does not fit into memory; a shorter one may")
        elif not isinstance(error, ServiceError):
            log.error("a request failed in the model", exc_info=error)
            error = ServiceError("internal error")
        self._outbox.append((job, Delta(error=error)))

    def _flush(self) -> None:
        outbox, self._outbox = [pair for pair in self._outbox if not pair[0].cancelled], []
        if outbox:
            self._deliver(outbox)


def _emit_each(outbox: list[tuple[Job, Delta]]) -> None:
    for job, delta in outbox:
        job.emit(delta)
