"""The same networks and the same training in Keras, as its users write them.

Arrays lie in memory, `fit` trains, all else is its default. They are what `book.benchmark` measures
ours against. Keras and TensorFlow are an extra, imported only when called.
"""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from book.benchmark.contest import LENET_BATCH, TORCHVISION
from models.data.datasets import DATASETS
from models.data.layouts import read_idx

WARM_UP = 5  # batches

Array = NDArray[Any]


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


def compiled(model: Any, lr: float) -> Any:
    """Make the model ready for `fit`: plain SGD on the cross-entropy.

    Everything else is Keras' own choice.
    """
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(lr), loss=loss, metrics=["accuracy"])
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
    dataset: str, variants: dict[str, dict[str, Any]], seeds: int, epochs: int, lr: float
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
            model = compiled(lenet5(**choices), lr)
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


def measure(
    name: str,
    dataset: str,
    batch_size: int,
    examples: int | None,
    lr: float,
    policy: str = "float32",
) -> dict[str, Any]:
    """Measure examples a second over one epoch.

    A few batches, and an incomplete one, come before: to warm up and compile.
    """
    import keras

    keras.mixed_precision.set_global_policy(policy)
    model = lenet5(True, False, 0.0, 0.0) if name == "lenet5" else minigooglenet()
    model = compiled(model, lr)
    images, labels = (array[:examples] for array in arrays(dataset)[:2])
    warm_up = WARM_UP * batch_size + len(images) % batch_size
    model.fit(images[:warm_up], labels[:warm_up], batch_size=batch_size, verbose=0)
    started = time.perf_counter()
    model.fit(images, labels, batch_size=batch_size, verbose=0)
    seconds = time.perf_counter() - started
    return {"value": len(images) / seconds, "parameters": {name: model.count_params()}}
