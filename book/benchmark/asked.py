"""convbook as its chapters use it: runs are asked for together, and its workers train them.

As in a chapter, the workers load torch, and who asks does not; a single run is trained right here.
"""

from book.benchmark.contest import LENET_BATCH, LR, VARIANTS, Measured, Sizes
from book.report.methods import BATCH_NORM
from models.specs import RunSpec
from models.sweeps import sweep
from models.sweeps.cores import available_cores


def lenet(sizes: Sizes, variant: str, epochs: int) -> RunSpec:
    """Return one of the experiment's networks, as a run."""
    choices = VARIANTS[variant]
    return RunSpec(
        network="lenet5",
        dataset=sizes.lenet_data,
        norm="batch" if choices["norm"] else "none",
        input_norm="batch" if choices["input_norm"] else "standard",
        dropout=choices["dropout"],
        input_dropout=choices["input_dropout"],
        epochs=epochs,
        batch_size=LENET_BATCH,
        lr=LR,
    )


def experiment(sizes: Sizes) -> Measured:
    """Train every variant with every seed, asked for together as a chapter asks."""
    specs = {name: lenet(sizes, name, sizes.epochs) for name in VARIANTS}
    records = sweep.ask(
        [spec.with_(seed=seed) for spec in specs.values() for seed in range(sizes.seeds)]
    )
    counts = [record.diagnostics["parameter_count"] for record in records[:: sizes.seeds]]
    return {
        "accuracies": [record.final.test_accuracy for record in records],
        "parameters": dict(zip(specs, counts, strict=True)),
    }


def side_by_side(sizes: Sizes, processes: int | None = None) -> Measured:
    """Train LeNet-5 with batch norm in so many processes at once (by default one a core).

    The value is examples a second of all, in epoch 2.
    """
    spec = lenet(sizes, BATCH_NORM, epochs=2)
    count = processes or available_cores()
    records = sweep.ask([spec.with_(seed=seed) for seed in range(count)])
    rates = [r.diagnostics["train_examples"] / r.provenance.epoch_seconds[-1] for r in records]
    return {
        "value": sum(rates),
        "parameters": {"lenet5": records[0].diagnostics["parameter_count"]},
    }


def one_process(sizes: Sizes) -> Measured:
    """Train the same in a single process with all its threads."""
    return side_by_side(sizes, processes=1)
