"""The front door: `import setol_zoo as zoo`, and the `setol` command.

    a = zoo.analyze(model)          # a torch module, a state dict, a path, or a name such as "resnet20"
    r = zoo.open("results/demo")    # what `setol run` made
    zoo.truncate(model, "tails.safetensors")    # acting on weights; also zoo.detrap, and zoo.distance(model, base)
    zoo.Monitor(model, "runs/mine")    # layers logged while the model is trained

Neither torch nor pandas is loaded before it is needed.
"""

from typing import TYPE_CHECKING

from setol_zoo.analysis_result import Analysis
from setol_zoo.analyze import analyze
from setol_zoo.detrap import detrap
from setol_zoo.distance import distance
from setol_zoo.monitor import Monitor
from setol_zoo.opened import Zoo
from setol_zoo.opened import open_zoo as open
from setol_zoo.truncate import truncate

__all__ = ["Analysis", "Monitor", "Zoo", "analyze", "detrap", "distance", "open", "truncate"]

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """The version that is installed, looked up when it is asked for: that takes half as long as this import."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import version

        return version("setol-zoo")
