"""What `python -m models` does: it asks for runs and prints each one's outcome as a line of JSON.

The flags of `train` are the fields of `RunSpec`, so the two never differ. `sweep` reads them from a
YAML file.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from models.data.sources import DataError
from models.fields import leaves
from models.records import is_current
from models.runs.obtain import obtain
from models.runs.store import Store, StoredRun
from models.settings import SettingError, cache_folder
from models.specs import RunSpec, SpecError
from models.sweeps.cluster import ClusterError
from models.sweeps.progress_board import distinct_titles
from models.sweeps.sweep import Outcome, outcomes

TRAIN_EXAMPLE = (
    "example: python -m models train "
    "--network lenet5 --dataset mnist5k --norm batch --epochs 3 --lr 0.05"
)
SWEEP_EXAMPLE = """example of a FILE.yml:
  base: {network: lenet5, dataset: mnist5k, epochs: 3, lr: 0.05}
  grid:
    norm: [none, batch]
    seed: [0, 1, 2]

A list of such blocks is read one after the other. Every run's outcome is a line of JSON on stdout,
in the file's order: key, run, grid's fields, last epoch, seconds, cached, record; or key, run and
error. Exit status: 0 all is well, 1 a run failed, 2 a mistake in the arguments or the file, 130
interrupted.

example: python -m models sweep FILE.yml --cluster tcp://10.0.0.1:8786"""
CLUSTER_HELP = (
    "a Dask scheduler (default: CONVBOOK_CLUSTER, else CONVBOOK_WORKERS processes here, else one a "
    "core)"
)
INTERRUPTED = 130  # what a shell reports after Ctrl-C


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and exit with status 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    top = parser()
    chosen, unknown = top.parse_known_args(arguments)
    options = vars(chosen)
    command = options.pop("command")
    if unknown:
        flags = map(flag, RunSpec.model_fields) if command == "train" else ()
        near = get_close_matches(unknown[0], flags, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        top.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    try:
        with _warnings_as_lines():
            return _train(**options) if command == "train" else _sweep(**options)
    except Exception as error:
        if message := explain(error):
            return fail(command, message)
        raise


def parser() -> Parser:
    """Return the parser, its flags generated from the fields of `RunSpec`."""
    top = Parser(
        prog="models", description="Train networks and keep their records.", allow_abbrev=False
    )
    commands = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=Parser
    )
    _add_train(commands)
    _add_sweep(commands)
    return top


def _add_train(commands: Any) -> None:
    about = "train one network, or read its record when it has been trained"
    command = commands.add_parser(
        "train", help=about, description=about, epilog=TRAIN_EXAMPLE, allow_abbrev=False
    )
    for name, field in RunSpec.model_fields.items():
        default = "" if field.default in (None, "") else f" (default {field.default})"
        command.add_argument(
            flag(name),
            dest=name,
            default=argparse.SUPPRESS,
            metavar=metavar(field.annotation),
            help=f"{field.description}{default}",
        )
    _add_device(command)


def _add_sweep(commands: Any) -> None:
    about = (
        "train the runs that a YAML file asks for, side by side; those that have been trained are "
        "read"
    )
    command = commands.add_parser(
        "sweep",
        help=about,
        description=about,
        epilog=SWEEP_EXAMPLE,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    file_help = "what the runs share and what varies, see below"
    command.add_argument("file", type=Path, metavar="FILE.yml", help=file_help)
    command.add_argument("--cluster", metavar="ADDRESS", help=CLUSTER_HELP)
    _add_device(command)


def _add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--device", choices=("cpu", "cuda"), help="where to train (default: cuda when there is one)"
    )


def flag(name: str) -> str:
    """Return a field's name on the command line."""
    return "--" + name.replace("_", "-")


def metavar(annotation: Any) -> str:
    """Return how the help shows a field's values: its choices, N for a whole number, X for any."""
    kinds = leaves(annotation)
    if choices := [kind for kind in kinds if isinstance(kind, str)]:
        return "{" + ",".join(choices) + "}"
    shown = {int: "N", float: "X", bool: "TRUE|FALSE"}
    kind = next((text for kind, text in shown.items() if kind in kinds), "NAME")
    return f"{kind},…" if Ellipsis in kinds else kind


def _train(device: str | None, **fields: Any) -> int:
    """Ask for the run and print its outcome as the last line of stdout."""
    spec, store = RunSpec(**fields), Store.default()
    try:
        found = obtain(spec, store=store, device=device)
    except KeyboardInterrupt:
        print(f"\ninterrupted: asked for again, the run {resumption(spec, store)}", file=sys.stderr)
        return INTERRUPTED
    history = [epoch.model_dump(mode="json", exclude_unset=True) for epoch in found.record.history]
    outcome = {"key": spec.key, "history": history, **_details(found)}
    print(json.dumps(outcome, allow_nan=False))
    return 0


def _sweep(file: Path, cluster: str | None, device: str | None) -> int:
    """Ask for all runs of the file and print the outcome of each as a line of stdout."""
    from models.sweeps import sweep_file  # brings YAML along, which nothing else needs

    specs, store = sweep_file.read(file), Store.default()
    try:
        ended = outcomes(specs, cluster=cluster, store=store, device=device)
    except KeyboardInterrupt:
        runs = set(specs)
        done = sum(store.locate(spec.key) is not None for spec in runs)
        print(
            f"\ninterrupted: {done} of {len(runs)} runs are kept; ask again to go on",
            file=sys.stderr,
        )
        return INTERRUPTED
    for outcome, name in zip(ended, distinct_titles(specs), strict=True):
        print(json.dumps(_line(outcome, name), allow_nan=False))
    return int(any(outcome.error for outcome in ended))


def _line(outcome: Outcome, name: str) -> dict[str, Any]:
    """Return what is printed of one run of a sweep; say on stderr why it failed."""
    line: dict[str, Any] = {"key": outcome.spec.key, "run": name}
    if outcome.found:
        line |= outcome.found.record.final.model_dump(mode="json", exclude_unset=True)
        line |= _details(outcome.found)
    if error := outcome.error:
        line["error"] = explain(error) or f"{type(error).__name__}: {error}"
        fail("sweep", f"run {outcome.spec.key} ({name}): {line['error']}")
    return line


def _details(found: StoredRun) -> dict[str, Any]:
    """Return what both commands print of a finished run; warn when other code made its record."""
    record = found.record
    if not is_current(record):
        print(
            f"warning: the record {record.key} was made by other training code than today's",
            file=sys.stderr,
        )
    details: dict[str, Any] = {
        "diverged": record.diverged,
        "seconds": record.provenance.seconds,
        "examples_per_second": record.provenance.examples_per_second,
        "cached": found.cached,
        "record": str(found.path),
    }
    resumed = record.provenance.resumed_from_epoch
    if resumed is not None and not found.cached:
        details["resumed_from_epoch"] = resumed
    return details


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: print(
            f"warning: {message}", file=sys.stderr
        )
        yield


def explain(error: Exception) -> str | None:
    """Return a user's mistake, or what the machine lacks, in words; None for a bug."""
    if isinstance(error, ModuleNotFoundError):
        package = {"yaml": "PyYAML"}.get(error.name or "", error.name)
        return f"this needs the package {package}, which is not installed: pip install {package}"
    if isinstance(error, DataError | SpecError | ClusterError | SettingError):
        return str(error)
    return file_error(error) if isinstance(error, OSError) else None


def file_error(error: OSError) -> str:
    """Return which file could not be read or written and why; how to choose another cache."""
    reason = f"cannot read or write {error.filename or 'a file'}: {error.strerror or error}"
    cache = cache_folder()
    if not error.filename or not Path(str(error.filename)).is_relative_to(cache):
        return reason
    return f"{reason} (CONVBOOK_CACHE chooses another folder than {cache})"


def resumption(spec: RunSpec, store: Store) -> str:
    """Return from where an interrupted run goes on."""
    epoch = store.last_epoch(spec.key)
    return f"resumes from epoch {epoch} of {spec.epochs}" if epoch else "starts from the beginning"


def fail(command: str, message: str) -> int:
    """Say what was wrong; return the exit status of a user's mistake."""
    print(f"models {command}: error: {message}", file=sys.stderr)
    return 2
