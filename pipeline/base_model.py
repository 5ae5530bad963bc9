"""The model that is subtracted from all others of a run."""

import hashlib
from dataclasses import dataclass

from catalogs import WeightFile


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model by its content.

    Attributes:
        model: Its key, for readers: of two names of one content, either.
        sha256: Its content; the same whatever its files are called.
        files: Identified ones, all shards; none where only spectra are read that were made with it.
    """

    model: str
    sha256: str
    files: tuple[WeightFile, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its files, as far as they are known."""
        return sum(file.size or 0 for file in self.files)


def base_model(files: tuple[WeightFile, ...]) -> BaseModel:
    """One model, known by the contents of its files.

    Args:
        files: All of them, identified.
    """
    contents = sorted(str(file.weights_sha256) for file in files)
    content = contents[0] if len(contents) == 1 else hashlib.sha256("".join(contents).encode()).hexdigest()
    return BaseModel(files[0].model, content, files)
