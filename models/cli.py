"""What `python -m models` does: reads arguments, asks for the runs, prints each one's outcome as a
line of JSON.

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
from models.settings import SettingError
from models.specs import RunSpec, SpecError
from models.sweeps.cluster import ClusterError
from models.sweeps.progress_board import distinct_titles

EXAMPLE = "example: python -m models train --network lenet5 --dataset mnist5k --norm batch --epochs 3 --lr 0.05"
SWEEP_EXAMPLE = """example of a FILE.yml:
  base: {network: lenet5, dataset: mnist5k, epochs: 3, lr: 0.05}
  grid:
    norm: [none, batch]
    seed: [0, 1, 2]

A list of such blocks is read one after the other. Every run's outcome is a line of JSON on stdout, in the
file's order: key, run, grid's fields, last epoch, seconds, cached, record; or key, run and error.
Exit status: 0 all is well, 1 a run failed, 2 a mistake in the arguments or the file, 130 interrupted.

example: python -m models sweep FILE.yml --cluster tcp://10.0.0.1:8786"""
INTERRUPTED = 130  # what a shell reports after Ctrl-C


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    top = parser()
    chosen, unknown = top.parse_known_args(arguments)
    options = vars(chosen)
    command = options.pop("command")
    if unknown:
        near = (
            get_close_matches(unknown[0], map(flag, RunSpec.model_fields), n=1)
            if command == "train"
            else []
        )
        top.error(
            f"unrecognized arguments: {' '.join(unknown)}"
            + (f"; did you mean {near[0]}?" if near else "")
        )
    return sweep(**options) if command == "sweep" else train(**options)


def parser() -> Parser:
    """The parser, its flags generated from the fields of `RunSpec`."""
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
        "train", help=about, description=about, epilog=EXAMPLE, allow_abbrev=False
    )
    for name, field in RunSpec.model_fields.items():
        command.add_argument(
            flag(name),
            dest=name,
            default=argparse.SUPPRESS,
            metavar=metavar(field.annotation),
            help=f"{field.description}"
            + ("" if field.default in (None, "") else f" (default {field.default})"),
        )
    _add_device(command)


def _add_sweep(commands: Any) -> None:
    about = "train the runs that a YAML file asks for, side by side; those that have been trained are read"
    raw = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        "sweep",
        help=about,
        description=about,
        epilog=SWEEP_EXAMPLE,
        allow_abbrev=False,
        formatter_class=raw,
    )
    command.add_argument(
        "file", type=Path, metavar="FILE.yml", help="what the runs share and what varies, see below"
    )
    command.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="a Dask scheduler (default: CONVBOOK_CLUSTER, else CONVBOOK_WORKERS processes here, else one a core)",
    )
    _add_device(command)


def _add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--device", choices=("cpu", "cuda"), help="where to train (default: cuda when there is one)"
    )


def flag(name: str) -> str:
    """A field's name on the command line."""
    return "--" + name.replace("_", "-")


def metavar(annotation: Any) -> str:
    """How the help shows a field's values: its choices, N for a whole number, X for any."""
    kinds = leaves(annotation)
    choices = [kind for kind in kinds if isinstance(kind, str)]
    if choices:
        return "{" + ",".join(choices) + "}"
    number = (
        "N"
        if int in kinds
        else "X"
        if float in kinds
        else "TRUE|FALSE"
        if bool in kinds
        else "NAME"
    )
    return f"{number},…" if Ellipsis in kinds else number


def train(device: str | None, **fields: Any) -> int:
    """Asks for the run and prints its outcome as the last line of stdout."""
    try:
        spec = RunSpec(**fields)
    except SpecError as error:
        return fail("train", str(error))
    try:
        with _warnings_as_lines():
            found = obtain(spec, device=device)
    except KeyboardInterrupt:
        print(f"\ninterrupted: asked for again, the run {resumption(spec)}", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if message := explain(error):
            return fail("train", message)
        raise
    outcome = {
        "key": found.record.key,
        "history": [
            epoch.model_dump(mode="json", exclude_unset=True) for epoch in found.record.history
        ],
        **summary(found),
    }
    print(json.dumps(outcome, allow_nan=False))
    return 0


def sweep(file: Path, cluster: str | None, device: str | None) -> int:
    """Asks for all runs of the file and prints the outcome of each as a line of stdout."""
    specs: list[RunSpec] = []
    try:
        from models.sweeps import sweep_file
        from models.sweeps.sweep import outcomes

        specs = sweep_file.read(file)
        with _warnings_as_lines():
            ended = outcomes(specs, cluster=cluster, device=device)
    except KeyboardInterrupt:
        done = sum(Store.default().find(spec) is not None for spec in set(specs))
        print(
            f"\ninterrupted: {done} of {len(set(specs))} runs are kept; ask again to go on",
            file=sys.stderr,
        )
        return INTERRUPTED
    except Exception as error:
        if message := explain(error):
            return fail("sweep", message)
        raise
    names = distinct_titles(specs)
    for outcome, name in zip(ended, names, strict=True):
        told: dict[str, Any] = {"key": outcome.spec.key, "run": name}
        if outcome.found:
            told |= outcome.found.record.final.model_dump(
                mode="json", exclude_unset=True
            ) | summary(outcome.found)
        elif outcome.error:
            told["error"] = (
                explain(outcome.error) or f"{type(outcome.error).__name__}: {outcome.error}"
            )
            fail("sweep", f"run {outcome.spec.key} ({name}): {told['error']}")
        print(json.dumps(told, allow_nan=False))
    return int(any(outcome.error for outcome in ended))


def summary(found: StoredRun) -> dict[str, Any]:
    """What both commands say of a finished run."""
    record = found.record
    if not is_current(record):
        print(
            f"warning: the record {record.key} was made by other training code than today's",
            file=sys.stderr,
        )
    told = {
        "diverged": record.diverged,
        "seconds": record.provenance.seconds,
        "examples_per_second": record.provenance.examples_per_second,
        "cached": found.cached,
        "record": str(found.path),
    }
    if record.provenance.resumed_from_epoch is not None and not found.cached:
        told["resumed_from_epoch"] = record.provenance.resumed_from_epoch
    return told


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: print(
            f"warning: {message}", file=sys.stderr
        )
        yield


def explain(error: Exception) -> str | None:
    """A user's mistake, or what the machine lacks, in words; None for any other error, which is a
    bug.
    """
    if isinstance(error, ModuleNotFoundError):
        package = {"yaml": "PyYAML"}.get(error.name or "", error.name)
        return f"this needs the package {package}, which is not installed: pip install {package}"
    if isinstance(error, DataError | SpecError | ClusterError | SettingError):
        return str(error)
    if isinstance(error, OSError):
        return f"cannot read or write {error.filename or 'a file'}: {error.strerror or error}"
    return None


def resumption(spec: RunSpec) -> str:
    """From where an interrupted run goes on."""
    epoch = Store.default().last_epoch(spec.key)
    return f"resumes from epoch {epoch} of {spec.epochs}" if epoch else "starts from the beginning"


def fail(command: str, message: str) -> int:
    """Says what was wrong; returns the exit status of a user's mistake."""
    print(f"models {command}: error: {message}", file=sys.stderr)
    return 2
