"""What a training in bf16 says of itself where its products are done in fp32.

A run's precision is its spec's and changes what comes of it; how fast it is, is the machine's.
"""

from models.training.precision import multiplies_fast

NO_GAIN = (
    "this processor is not known to multiply faster in bf16 than in fp32: factors are rounded to "
    "bf16 and multiplied in fp32; precision fp32 trains as fast or faster, in no more memory"
)


def note(precision: str, device: str) -> str | None:
    """Return `NO_GAIN` to the first training of this process that it is true of, else None.

    >>> note("fp32", "cpu")
    """
    if precision != "bf16" or multiplies_fast(device) or NO_GAIN in _told:
        return None
    _told.add(NO_GAIN)
    return NO_GAIN


_told: set[str] = set()
