"""Many runs at once, over Dask: those that are missing are trained side by side, each once,
wherever a worker is.

Records and weights travel back over Dask: no shared file system is needed. Each is written down as
it arrives, so an interrupted sweep loses only what was not finished. When a worker dies, Dask gives
its run to another, which goes on from the last checkpoint where it finds one (on the same machine),
else starts from nothing.

`CONVBOOK_CLUSTER` is a scheduler's address. Without one, a local cluster has a worker process for
each core that this process may use (no more than `OMP_NUM_THREADS`, where that is set), or as many
as `CONVBOOK_WORKERS` says; 1 trains in this process, without Dask.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, overload

from models import records
from models.progress import Progress
from models.records import Epoch, Record
from models.runs.obtain import obtain
from models.runs.store import Store, StoredRun
from models.settings import Settings
from models.specs import RunSpec
from models.sweeps.cluster import ClusterError, connected, local_cluster
from models.sweeps.progress_board import Board, Member, distinct_titles, live_board

if TYPE_CHECKING:
    from distributed import Client, Future

LOOK_EVERY = 1.0  # seconds between two looks at whether the scheduler is still there

LOST = "the connection to the Dask scheduler was lost; the runs that were finished are kept: ask again for the others"

Ending = StoredRun | Exception
Told = SimpleQueue[tuple[str, dict[str, Any] | None]]


@dataclass(frozen=True)
class Outcome:
    """How asking for a run ended: one of `found` and `error` is there."""

    spec: RunSpec
    found: StoredRun | None = None
    error: Exception | None = None


def sweep(
    specs: Iterable[RunSpec],
    *,
    cluster: str | None = None,
    store: Store | None = None,
    progress: Board | None = None,
    device: str | None = None,
) -> list[Record]:
    """The records of the runs, in the order asked for: found, or else trained now, each once.

    `cluster` is a Dask scheduler's address (default: `CONVBOOK_CLUSTER`, else this machine's
    cores).

    Raises:
        ClusterError: the scheduler cannot be reached, or was lost. Exception: the first error of a
        run, with a note that names the run; the other runs have been finished.
    """
    ended = outcomes(specs, cluster=cluster, store=store, progress=progress, device=device)
    failed = [outcome for outcome in ended if outcome.error is not None]
    if failed and (error := failed[0].error):
        others = f" ({len(failed)} of {len(ended)} runs failed)" if len(ended) > 1 else ""
        error.add_note(
            f"in the run {failed[0].spec.key}{others}: {failed[0].spec.canonical_json()}"
        )
        raise error
    return [outcome.found.record for outcome in ended if outcome.found is not None]


def outcomes(
    specs: Iterable[RunSpec],
    *,
    cluster: str | None = None,
    store: Store | None = None,
    progress: Board | None = None,
    device: str | None = None,
) -> list[Outcome]:
    """As `sweep`, but a run that failed is an outcome too, and nothing is raised for it."""
    specs, store = list(specs), store or Store.default()
    ended: dict[str, Ending] = {}
    missing: dict[RunSpec, str] = {}
    for spec, name in zip(specs, distinct_titles(specs), strict=True):
        if spec.key not in ended and (found := store.find(spec)):
            ended[spec.key] = found
        elif spec.key not in ended:
            missing[spec] = name
    if missing:
        ended |= {
            spec.key: ending for spec, ending in _train(missing, cluster, store, progress, device)
        }
    return [_outcome(spec, ended[spec.key]) for spec in specs]


def _outcome(spec: RunSpec, ending: Ending) -> Outcome:
    return (
        Outcome(spec, error=ending)
        if isinstance(ending, Exception)
        else Outcome(spec, found=ending)
    )


def _train(
    missing: Mapping[RunSpec, str],
    cluster: str | None,
    store: Store,
    board: Board | None,
    device: str | None,
) -> Iterator[tuple[RunSpec, Ending]]:
    """Trains where it is best done: on the cluster asked for, in this process, or on a local
    cluster.
    """
    address = cluster or (None if inside_a_worker() else Settings.from_environment().cluster)
    workers, threads = (1, 1) if address or inside_a_worker() else local_share(len(missing))
    if board is None and not address and len(missing) == 1:
        yield from ((spec, _attempt(spec, store, None, device)) for spec in missing)
        return
    board = board or live_board()
    with ExitStack() as stack:
        ours = None
        if not address and workers > 1:
            ours = store
            address = stack.enter_context(local_cluster(workers, threads))
        client = stack.enter_context(connected(address)) if address else None
        board.begin(list(missing), list(missing.values()))
        stack.callback(board.close)
        if client is None:
            yield from ((spec, _attempt(spec, store, board.of(spec), device)) for spec in missing)
        else:
            yield from _over_dask(list(missing), client, store, ours, board, device)


def inside_a_worker() -> bool:
    """Whether this process is one of several that share the machine already: a Dask worker's, or a
    pool's.
    """
    if multiprocessing.current_process().daemon:
        return True
    if "distributed.worker" not in sys.modules:
        return False
    from distributed import Worker

    return bool(Worker._instances)


def local_share(runs: int, settings: Settings | None = None) -> tuple[int, int]:
    """Return how many local workers so many runs get, and how many threads each."""
    settings = settings or Settings.from_environment()
    if runs == 1 or settings.workers == 1:
        return 1, 1
    cores = available_cores(settings)
    workers = min(settings.workers or cores, runs)
    return workers, max(1, cores // workers)


def available_cores(settings: Settings | None = None) -> int:
    """Return the number of cores that this process may use; 1 where Dask is not installed."""
    try:
        import distributed  # noqa: F401 - whether it is there
        from dask.system import cpu_count
    except ModuleNotFoundError:
        return 1
    threads = (settings or Settings.from_environment()).threads
    return min(cpu_count(), threads or cpu_count())


def _attempt(spec: RunSpec, store: Store, progress: Progress | None, device: str | None) -> Ending:
    """The run, trained in this process, or why it failed."""
    try:
        return obtain(spec, store=store, progress=progress, device=device)
    except Exception as error:
        return error


# Over Dask


def _over_dask(
    missing: Sequence[RunSpec],
    client: Client,
    store: Store,
    theirs: Store | None,
    board: Board,
    device: str | None,
) -> Iterator[tuple[RunSpec, Ending]]:
    """Sends the runs out, shows what their workers tell, and writes each record down as it arrives."""
    told: Told = SimpleQueue()  # one queue for all that happens, so that only this thread acts
    futures = _send(missing, client, theirs, device, told)
    if not client.nthreads():
        board.note("no worker has joined the Dask scheduler yet: waiting for one")
    while futures:
        try:
            key, news = told.get(timeout=LOOK_EVERY)
        except Empty:
            if client.status != "running":
                raise ClusterError(LOST) from None
            continue
        if key not in futures:  # another asker's, or told after its end
            continue
        spec, future = futures[key]
        if news:
            _replay(board.of(spec), news["call"], news["arguments"])
        else:
            ending = _receive(spec, store, future)
            board.of(spec).close()
            del futures[key], future
            yield spec, ending


def _send(
    missing: Sequence[RunSpec], client: Client, store: Store | None, device: str | None, told: Told
) -> dict[str, tuple[RunSpec, Future]]:
    """Submits every run. What its worker tells comes into the queue, and that its task is done
    (without news).
    """
    from models.sweeps import workers

    client.subscribe_topic(workers.TOPIC, lambda event: told.put((event[1]["key"], event[1])))
    futures = {}
    for spec in missing:
        key = workers.task_key(spec)
        future = client.submit(
            workers.train, spec.model_dump_json(), store, device, key=key, pure=False
        )
        future.add_done_callback(lambda done: told.put((str(done.key), None)))
        futures[key] = spec, future
    return futures


def _replay(member: Member, call: str, arguments: list[Any]) -> None:
    """What a worker's `Relay` was told, told to the run's place on the board."""
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


def _receive(spec: RunSpec, store: Store, future: Future) -> Ending:
    """The run that a finished task sent, written down here; or why there is none."""
    from distributed import CancelledError, KilledWorker

    try:
        record, weights = future.result()
        path = store.runs / f"{spec.key}.json"
        if weights is not None:
            records.write_atomically(path.with_suffix(".safetensors"), weights)
        records.write_atomically(path, record)
        return StoredRun(records.read(path), path, cached=False)
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


@overload
def ask(
    spec: RunSpec,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    device: str | None = None,
) -> Record: ...


@overload
def ask(
    spec: Iterable[RunSpec],
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    device: str | None = None,
) -> list[Record]: ...


def ask(
    spec: RunSpec | Iterable[RunSpec],
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    device: str | None = None,
) -> Record | list[Record]:
    """Return the record of a run, or of each of several in their order: found or else trained now.

    Several that are missing are trained side by side (see `sweep`); with a `progress` of the
    caller's, one after the other in this process. `device` is where to train (`cpu`, `cuda`); CUDA
    when there is one, by default.

    Raises:
        models.data.loading.DataError: training needs data that are missing or damaged.
    """
    if isinstance(spec, RunSpec):
        return obtain(spec, store=store, progress=progress, device=device).record
    if progress is None:
        return sweep(spec, store=store, device=device)
    return [obtain(one, store=store, progress=progress, device=device).record for one in spec]
