"""Runs sent to the workers of a Dask scheduler, and what comes back.

Records and weights travel over Dask: no shared file system is needed. Each is written down as it
arrives, so an interrupted sweep loses only what was not finished. When a worker dies, Dask gives
its run to another, which goes on from the last checkpoint where it finds one (on the same machine),
else starts from nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from models.files import write_atomically
from models.records import Epoch
from models.runs.store import Store, StoredRun
from models.specs import RunSpec
from models.sweeps.cluster import ClusterError
from models.sweeps.progress_board import Board, Member

if TYPE_CHECKING:
    from distributed import Client, Future

    from models.sweeps.workers import Result

LOOK_EVERY = 1.0  # seconds between two looks at whether the scheduler is still there

LOST = (
    "the connection to the Dask scheduler was lost; the runs that were finished are kept: "
    "ask again for the others"
)

Ending = StoredRun | Exception


class Event(NamedTuple):
    """News of a task: a call of its run's `Progress`; without one, that the task is done."""

    task: str
    call: str | None = None
    arguments: Sequence[Any] = ()


def dispatch(
    specs: Sequence[RunSpec],
    client: Client,
    board: Board,
    store: Store,
    worker_store: Store | None,
    device: str | None,
) -> Iterator[tuple[RunSpec, Ending]]:
    """Have the scheduler's workers train the runs; yield each as it is written down, or its error.

    A worker looks for runs and keeps its checkpoints in `worker_store`; without one, in the store
    that its own environment chooses.

    Raises:
        ClusterError: The scheduler was lost.
    """
    events: SimpleQueue[Event] = SimpleQueue()  # of all that happens, so that one thread acts on it
    futures = _submit(specs, client, events, worker_store, device)
    if not client.nthreads():
        board.note("no worker has joined the Dask scheduler yet: waiting for one")
    while futures:
        event = _next_event(events, client)
        if event.task not in futures:  # another asker's, or reported after its end
            continue
        spec, future = futures[event.task]
        if event.call:
            _replay(board.of(spec), event.call, event.arguments)
        else:
            ending = _receive(spec, future, store)
            board.of(spec).close()
            del futures[event.task], future
            yield spec, ending


def _submit(
    specs: Sequence[RunSpec],
    client: Client,
    events: SimpleQueue[Event],
    worker_store: Store | None,
    device: str | None,
) -> dict[str, tuple[RunSpec, Future[Result]]]:
    """Submit every run; what its worker reports comes into the queue, and that it is done."""
    from models.sweeps import workers

    client.subscribe_topic(workers.TOPIC, lambda event: events.put(Event(*event[1])))
    futures = {}
    for spec in specs:
        task = workers.task_key(spec)
        arguments = (spec.model_dump_json(), worker_store, device)
        future = client.submit(workers.train, *arguments, key=task, pure=False)
        future.add_done_callback(lambda done: events.put(Event(str(done.key))))
        futures[task] = spec, future
    return futures


def _next_event(events: SimpleQueue[Event], client: Client) -> Event:
    """Wait for an event, as long as the scheduler is there."""
    while True:
        try:
            return events.get(timeout=LOOK_EVERY)
        except Empty:
            if client.status != "running":
                raise ClusterError(LOST) from None


def _replay(member: Member, call: str, arguments: Sequence[Any]) -> None:
    """Repeat a call that a worker's `Relay` got, to the run's place on the board."""
    if call == "start":
        member.start(member.spec, *arguments)
    elif call == "epoch":
        member.epoch(Epoch(**arguments[0]))
    elif call == "batch":
        member.batch(*arguments)
    elif call == "note":
        member.note(*arguments)
    elif call == "close":
        member.close()


def _receive(spec: RunSpec, future: Future[Result], store: Store) -> Ending:
    """Write down the run that a finished task sent; return it, or why there is none."""
    from distributed import CancelledError, KilledWorker

    try:
        return _write_down(spec, *future.result(), store)
    except CancelledError:
        return ClusterError(LOST)
    except ModuleNotFoundError as error:
        return ClusterError(
            f"the cluster lacks the package {error.name}: install convbook on its hosts"
        )
    except KilledWorker as error:
        return ClusterError(
            f"given up: every worker that trained it died, {error.allowed_failures + 1} in all"
        )
    except Exception as error:
        return error


def _write_down(spec: RunSpec, record: bytes, weights: bytes | None, store: Store) -> StoredRun:
    if weights is not None:
        write_atomically(store.weights_file(spec.key), weights)
    path = store.record_file(spec.key)
    write_atomically(path, record)
    return StoredRun(store.read(path), path, cached=False)
