"""What `python -m models` does: reads arguments, asks for the run, prints its outcome as one line of JSON.

The flags of `train` are the fields of `RunSpec`, so the two never differ.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from models.records import is_current
from models.runs import last_epoch, obtain
from models.sources import DataError
from models.specs import RunSpec, SpecError, leaves

EXAMPLE = "example: python -m models train --network lenet5 --dataset mnist5k --norm batch --epochs 3 --lr 0.05"
INTERRUPTED = 130  # what a shell reports after Ctrl-C


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    options = vars(parser().parse_args(arguments))
    del options["command"]
    device = options.pop("device")
    try:
        spec = RunSpec(**options)
    except SpecError as error:
        return fail(str(error))
    try:
        return train(spec, device)
    except KeyboardInterrupt:
        print(f"\ninterrupted: asked for again, the run {resumption(spec)}", file=sys.stderr)
        return INTERRUPTED


def parser() -> Parser:
    """The parser, its flags generated from the fields of `RunSpec`."""
    top = Parser(prog="models", description="Train a network and keep its record.", epilog=EXAMPLE, allow_abbrev=False)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    about = "train one network, or read its record when it has been trained"
    command = commands.add_parser("train", help=about, description=about, epilog=EXAMPLE, allow_abbrev=False)
    for name, field in RunSpec.model_fields.items():
        command.add_argument(
            "--" + name.replace("_", "-"),
            dest=name,
            default=argparse.SUPPRESS,
            metavar=metavar(field.annotation),
            help=f"{field.description}" + ("" if field.default in (None, "") else f" (default {field.default})"),
        )
    command.add_argument("--device", choices=("cpu", "cuda"), help="where to train (default: cuda when there is one)")
    return top


def metavar(annotation: Any) -> str:
    """How the help shows a field's values: its choices, N for a whole number, X for any."""
    kinds = leaves(annotation)
    choices = [kind for kind in kinds if isinstance(kind, str)]
    if choices:
        return "{" + ",".join(choices) + "}"
    number = "N" if int in kinds else "X" if float in kinds else "TRUE|FALSE" if bool in kinds else "NAME"
    return f"{number},…" if Ellipsis in kinds else number


def train(spec: RunSpec, device: str | None) -> int:
    """Asks for the run and prints its outcome as the last line of stdout."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}", file=sys.stderr)
            found = obtain(spec, device=device)
    except (DataError, SpecError) as error:
        return fail(str(error))
    except ModuleNotFoundError as error:
        return fail(f"training needs the package {error.name}, which is not installed: pip install {error.name}")
    except OSError as error:
        return fail(f"cannot read or write {error.filename or 'a file'}: {error.strerror or error}")
    record = found.record
    if not is_current(record):
        print("warning: this record was made by other training code than today's", file=sys.stderr)
    outcome = {
        "key": record.key,
        "history": [epoch.model_dump(mode="json", exclude_unset=True) for epoch in record.history],
        "diverged": record.diverged,
        "seconds": record.provenance.seconds,
        "examples_per_second": record.provenance.examples_per_second,
        "cached": found.cached,
        "record": str(found.path),
    }
    if record.provenance.resumed_from_epoch is not None and not found.cached:
        outcome["resumed_from_epoch"] = record.provenance.resumed_from_epoch
    print(json.dumps(outcome, allow_nan=False))
    return 0


def resumption(spec: RunSpec) -> str:
    """From where an interrupted run goes on."""
    epoch = last_epoch(spec.key)
    return f"resumes from epoch {epoch} of {spec.epochs}" if epoch else "starts from the beginning"


def fail(message: str) -> int:
    """Says what was wrong; returns the exit status of a user's mistake."""
    print(f"models train: error: {message}", file=sys.stderr)
    return 2
