"""The same networks and the same training in Keras, as its users write them.

Arrays lie in memory, `fit` trains, all else is its default, but for what a `Form` says. They are
what `book.benchmark` measures ours against. Keras and TensorFlow are an extra, imported only when
called.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from book.benchmark.contest import LENET_BATCH, TORCHVISION, WARM_UP, Trainer
from models.data.datasets import DATASETS
from models.data.layouts import read_idx

JOINED = 16  # steps

Array = NDArray[Any]


@dataclass(frozen=True)
class Form:
    """How Keras is asked to compute.

    `policy` is its mixed precision; `steps` of the optimizer are one call (`steps_per_execution`);
    `jit` has XLA compile them (`jit_compile`).
    """

    policy: str = "float32"
    steps: int = 1
    jit: bool = False


FORMS = {
    "keras": Form(),
    "keras, joined": Form(steps=JOINED),
    "keras, jit": Form(steps=JOINED, jit=True),
    "keras, bf16": Form("mixed_bfloat16"),
    "keras, bf16 jit": Form("mixed_bfloat16", JOINED, jit=True),
}
"""Keras' defaults, and what its users turn to for speed."""


def lenet5(norm: bool, input_norm: bool, dropout: float, input_dropout: float) -> Any:
    """Build LeNet-5, (B, 28, 28, 1) → (B, 10).

    Each hidden layer is followed by batch norm, tanh, pooling and dropout.
    """
    from keras import Sequential, layers

    model = Sequential([layers.Input((28, 28, 1))])
    if input_norm:
        model.add(layers.BatchNormalization())
    if input_dropout:
        model.add(layers.Dropout(input_dropout))
    for layer in (
        layers.Conv2D(6, 5, padding="same"),
        layers.Conv2D(16, 5),
        layers.Dense(120),
        layers.Dense(84),
    ):
        if layer.name.startswith("dense") and len(model.output_shape) == 4:
            model.add(layers.Flatten())
        model.add(layer)
        if norm:
            model.add(layers.BatchNormalization())
        model.add(layers.Activation("tanh"))
        if len(model.output_shape) == 4:
            model.add(layers.AveragePooling2D(2))
        if dropout:
            model.add(layers.Dropout(dropout))
    model.add(layers.Dense(10))
    return model


def minigooglenet() -> Any:
    """Build MiniGoogLeNet (Zhang et al. 2017, fig. 3), padded: (B, 28, 28, 1) → (B, 10)."""
    import keras
    from keras import layers

    def conv(x: Any, filters: int, kernel: int, stride: int = 1) -> Any:
        x = layers.Conv2D(filters, kernel, strides=stride, padding="same")(x)
        return layers.Activation("relu")(layers.BatchNormalization()(x))

    def inception(x: Any, one: int, three: int) -> Any:
        return layers.Concatenate()([conv(x, one, 1), conv(x, three, 3)])

    def downsample(x: Any, filters: int) -> Any:
        return layers.Concatenate()(
            [conv(x, filters, 3, stride=2), layers.MaxPooling2D(3, 2, padding="same")(x)]
        )

    images = layers.Input((28, 28, 1))
    x = conv(images, 96, 3)
    for one, three in ((32, 32), (32, 48)):
        x = inception(x, one, three)
    x = downsample(x, 80)
    for one, three in ((112, 48), (96, 64), (80, 80), (48, 96)):
        x = inception(x, one, three)
    x = downsample(x, 96)
    for one, three in ((176, 160), (176, 160)):
        x = inception(x, one, three)
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(images, layers.Dense(10, dtype="float32")(x))


def compiled(model: Any, lr: float, form: Form) -> Any:
    """Make the model ready for `fit`: plain SGD on the cross-entropy.

    Everything else is Keras' own choice.
    """
    import keras

    model.compile(
        optimizer=keras.optimizers.SGD(lr),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=form.steps,
        jit_compile=form.jit or "auto",
    )
    return model


def arrays(dataset: str, standardise: bool = True) -> tuple[Array, Array, Array, Array]:
    """Read training images (N, 28, 28, 1) float32 and labels (N,), then the test set's.

    They lie in the folder of `CONVBOOK_DATA`.
    """
    info, raw = DATASETS[dataset], Path(os.environ["CONVBOOK_DATA"], TORCHVISION[dataset], "raw")
    parts: list[Array] = []
    for part in ("train", "t10k"):
        images = (
            read_idx(raw / f"{part}-images-idx3-ubyte")[..., np.newaxis].astype(np.float32) / 255
        )
        parts += [(images - info.mean[0]) / info.std[0] if standardise else images]
        parts += [read_idx(raw / f"{part}-labels-idx1-ubyte").astype(np.int64)]
    return parts[0].astype(np.float32), parts[1], parts[2].astype(np.float32), parts[3]


def experiment(
    dataset: str,
    variants: dict[str, dict[str, Any]],
    seeds: int,
    epochs: int,
    lr: float,
    form: Form,
) -> dict[str, Any]:
    """Train every variant (the arguments of `lenet5`) with every seed.

    The test set is judged after each epoch.
    """
    import keras

    accuracies, parameters = [], {}
    for name, choices in variants.items():
        train_images, train_labels, *test = arrays(dataset, standardise=not choices["input_norm"])
        for seed in range(seeds):
            keras.utils.set_random_seed(seed)
            model = compiled(lenet5(**choices), lr, form)
            history = model.fit(
                train_images,
                train_labels,
                batch_size=LENET_BATCH,
                epochs=epochs,
                validation_data=tuple(test),
                verbose=0,
            )
            accuracies.append(history.history["val_accuracy"][-1])
            parameters[name] = model.count_params()
    return {"accuracies": accuracies, "parameters": parameters}


def trainer(name: str, dataset: str, batch_size: int, lr: float, form: Form) -> Trainer:
    """Return a training that is warmed up and, where it is compiled, that is over."""
    import keras

    keras.mixed_precision.set_global_policy(form.policy)
    model = lenet5(True, False, 0.0, 0.0) if name == "lenet5" else minigooglenet()
    model = compiled(model, lr, form)
    images, labels = arrays(dataset)[:2]
    warm_up = WARM_UP * form.steps * batch_size
    model.fit(images[:warm_up], labels[:warm_up], batch_size=batch_size, verbose=0)

    def rate(seconds: float) -> float:
        ends = _ends_of_calls(model, images, labels, batch_size, seconds)
        return (len(ends) - 1) * form.steps * batch_size / (ends[-1] - ends[0])

    return Trainer(rate, model.count_params())


def _ends_of_calls(
    model: Any, images: Array, labels: Array, batch_size: int, seconds: float
) -> list[float]:
    """Train for so many seconds after the first call of the compiled step; return when each ended.

    How long `fit` takes to begin, which a whole epoch would hardly notice, is not in them.
    """
    import keras

    ends: list[float] = []

    def note_end(batch: int, logs: Any) -> None:
        ends.append(time.perf_counter())
        model.stop_training = len(ends) > 1 and ends[-1] - ends[0] >= seconds

    model.fit(
        images,
        labels,
        batch_size=batch_size,
        epochs=1000,  # until it is stopped
        callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=note_end)],
        verbose=0,
    )
    return ends
