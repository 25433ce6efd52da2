"""The trainings whose rates are measured, ours and our peers', by contender."""

from book.benchmark.contest import GOOGLENET_BATCH, LENET_BATCH, LR, Measured, Sizes, Trainer


def trainer(contender: str, network: str, sizes: Sizes) -> Trainer:
    """Return a contender's training of a network, warmed up.

    Only what that contender needs is imported.
    """
    data, batch_size = (
        (sizes.lenet_data, LENET_BATCH)
        if network == "lenet5"
        else (sizes.googlenet_data, GOOGLENET_BATCH)
    )
    if contender.startswith("keras"):
        from book.benchmark import keras_peer

        return keras_peer.trainer(network, data, batch_size, LR, keras_peer.FORMS[contender])
    if contender.startswith("tutorial"):
        from book.benchmark import tutorial

        compiled = contender == "tutorial, compiled"
        return tutorial.trainer(network, data, batch_size, LR, compiled=compiled)
    if contender == "jax":
        from book.benchmark import jax_peer

        return jax_peer.trainer(network, data, batch_size, LR)
    from book.benchmark import ours

    return ours.trainer(network, sizes)


def training(contender: str, network: str, sizes: Sizes) -> Measured:
    """Measure how many examples a second a contender trains on."""
    one = trainer(contender, network, sizes)
    return {"value": one.rate(sizes.train_seconds), "parameters": {network: one.parameters}}
