"""Data sets as pictures: an example a row of pixels."""

import io

import numpy as np
from numpy.typing import NDArray

from setol_zoo.lab.errors import DataError


def read_png(content: bytes, rows: int, columns: int, channels: int, what: str) -> NDArray[np.uint8]:
    """The pixels of a PNG of known size, which is compared before anything is unpacked.

    Args:
        content: All its bytes.
        rows: Its height.
        columns: Its width.
        channels: 1 for grey, 3 for colours.
        what: What the file is called.

    Returns:
        (rows, columns, channels).

    Raises:
        DataError: It is of another size or kind, or no PNG.
    """
    from PIL import Image, UnidentifiedImageError

    needed = (columns, rows), {1: "L", 3: "RGB"}[channels]
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if (picture.size, picture.mode) != needed:
                raise DataError(f"{what}: need a PNG of {needed}, got {(picture.size, picture.mode)}.")
            return np.array(picture).reshape(rows, columns, channels)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise DataError(f"{what} cannot be read as a PNG: {error}.") from error
