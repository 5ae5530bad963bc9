"""The monitor as a callback of Lightning, by either of its names. Needs lightning or pytorch-lightning."""

from typing import TYPE_CHECKING, Any

try:
    from lightning.pytorch import Callback
except ModuleNotFoundError:
    from pytorch_lightning import Callback

if TYPE_CHECKING:
    from setol_zoo.monitor import Monitor


class MonitorCallback(Callback):
    """Logs the network before the first epoch as epoch 0, and after each; the last one whatever `every` says.

    An epoch is named by the epochs done, a step by `trainer.global_step`. What the module has logged until then
    (`trainer.callback_metrics`) goes into columns.
    """

    def __init__(self, monitor: "Monitor") -> None:
        self.monitor = monitor
        self._left_out = False

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Log where training starts, unless it goes on where that is known from before."""
        measured = _numbers(trainer)
        if trainer.global_step == 0 or trainer.current_epoch not in self.monitor.epochs:
            self.monitor.log_numbers(trainer.current_epoch, trainer.global_step, measured)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the epoch."""
        logged = self.monitor.log_numbers(trainer.current_epoch + 1, trainer.global_step, _numbers(trainer))
        self._left_out = logged.left_out is not None

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the last epoch if `every` left it out."""
        measured = _numbers(trainer)
        if self._left_out:
            self.monitor.log_numbers(trainer.current_epoch, trainer.global_step, measured, always=True)


def _numbers(trainer: Any) -> dict[str, Any]:
    """What was logged so far; every process has to ask, because some numbers are put together from all of them."""
    return dict(trainer.callback_metrics)
