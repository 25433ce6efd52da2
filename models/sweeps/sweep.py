"""Many runs at once: those that are missing are trained side by side, each once.

`CONVBOOK_CLUSTER` is a Dask scheduler's address. Without one, a local cluster has a worker process
for each core that this process may use (no more than `OMP_NUM_THREADS`, where that is set), or as
many as `CONVBOOK_WORKERS` says; 1 trains in this process, without Dask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import overload

from models.progress import Progress
from models.records import Record
from models.runs.obtain import obtain, require_device
from models.runs.store import Store, StoredRun
from models.settings import Settings
from models.specs import RunSpec
from models.sweeps.cluster import connected, local_cluster
from models.sweeps.cores import inside_a_worker, local_share
from models.sweeps.dispatch import Ending, dispatch
from models.sweeps.progress_board import Board, distinct_titles, live_board


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
    """Return the records of the runs, in the order asked for: found or else trained now, each once.

    `cluster` is a Dask scheduler's address and `store` where the runs are kept; by default both are
    those of the environment, and this machine's cores without a cluster.

    Raises:
        ClusterError: The scheduler cannot be reached, or was lost.
        SpecError: The device is not on this machine, which is to train.
        SettingError: The environment asks for what cannot be.
        Exception: The first error of a run, with a note that names the run; the other runs have
            been finished.
    """
    ended = outcomes(specs, cluster=cluster, store=store, progress=progress, device=device)
    failed = [outcome for outcome in ended if outcome.error is not None]
    if failed and (error := failed[0].error):
        others = f" ({len(failed)} of {len(ended)} runs failed)" if len(ended) > 1 else ""
        spec = failed[0].spec
        error.add_note(f"in the run {spec.key}{others}: {spec.canonical_json()}")
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
    """Do as `sweep`, but a run that failed is an outcome too, and nothing is raised for it."""
    specs, store = list(specs), store or Store.default()
    endings: dict[str, Ending] = {}
    missing: dict[RunSpec, str] = {}
    for spec, name in zip(specs, distinct_titles(specs), strict=True):
        if spec.key not in endings and (found := store.find(spec)):
            endings[spec.key] = found
        elif spec.key not in endings:
            missing[spec] = name
    if missing:
        for spec, ending in _train(missing, cluster, store, progress, device):
            endings[spec.key] = ending
    return [_outcome(spec, endings[spec.key]) for spec in specs]


def _outcome(spec: RunSpec, ending: Ending) -> Outcome:
    if isinstance(ending, Exception):
        return Outcome(spec, error=ending)
    return Outcome(spec, found=ending)


def _train(
    missing: Mapping[RunSpec, str],
    cluster: str | None,
    store: Store,
    board: Board | None,
    device: str | None,
) -> Iterator[tuple[RunSpec, Ending]]:
    """Train where it is best done: on the cluster asked for, on local workers, or right here."""
    settings, inside = Settings.from_environment(), inside_a_worker()
    address = cluster or (None if inside else settings.cluster)
    if not address:
        require_device(device)
    workers, threads = (1, 1) if address or inside else local_share(len(missing), settings)
    if not address and workers == 1:
        yield from _train_here(missing, store, board, device)
        return
    place = nullcontext(address) if address else local_cluster(workers, threads)
    worker_store = None if address else store
    board = board or live_board()
    with place as scheduler, connected(scheduler) as client, board.showing(missing):
        yield from dispatch(list(missing), client, board, store, worker_store, device)


def _train_here(
    missing: Mapping[RunSpec, str], store: Store, board: Board | None, device: str | None
) -> Iterator[tuple[RunSpec, Ending]]:
    """Train one run after the other in this process; a single one needs no board."""
    if board is None and len(missing) == 1:
        yield from ((spec, _attempt(spec, store, None, device)) for spec in missing)
        return
    board = board or live_board()
    with board.showing(missing):
        yield from ((spec, _attempt(spec, store, board.of(spec), device)) for spec in missing)


def _attempt(spec: RunSpec, store: Store, progress: Progress | None, device: str | None) -> Ending:
    """Return the run, trained in this process, or why it failed."""
    try:
        return obtain(spec, store=store, progress=progress, device=device)
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
        DataError: Training needs data that are missing or damaged.
    """
    if isinstance(spec, RunSpec):
        return obtain(spec, store=store, progress=progress, device=device).record
    if progress is None:
        return sweep(spec, store=store, device=device)
    return [obtain(one, store=store, progress=progress, device=device).record for one in spec]
