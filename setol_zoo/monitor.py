"""Metrics of every layer while a network is trained: rows of a Parquet file an epoch, and scalars of TensorBoard."""

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from inspect import signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn
    from torch.utils.tensorboard import SummaryWriter

    from catalogs.places import Where
    from setol_zoo.lightning import MonitorCallback
    from setol_zoo.monitor_rows import Logged

SCALARS = ("alpha", "erg_delta", "n_traps", "trap_theta")
"""Metrics that TensorBoard is given, as `alpha/fc1`; phases are a text."""


class Monitor:
    """Logs a network's layers epoch by epoch; the network and its training are left as they are.

        monitor = zoo.Monitor(model, "runs/mine")
        for epoch in range(1, 31):
            ...
            print(monitor.log(epoch, test_error=0.021))

    A folder takes one training. One that is started again goes on in it: an epoch logged again is replaced. Of several
    processes of torch.distributed only the first logs.
    """

    def __init__(
        self,
        model: "nn.Module | Mapping[str, Any]",
        folder: "str | Where",
        *,
        every: int = 1,
        fresh: bool = False,
        tensorboard: "bool | SummaryWriter" = False,
        preset: str = "default",
        device: str | None = None,
        threads: int | None = None,
        permutations: int = 1,
        **options: Any,
    ) -> None:
        """Take up a network and a folder; nothing is computed yet.

        Args:
            model: A module or a state dict, read where it is whenever an epoch is logged.
            folder: Where the Parquet files are put, a path or a URL; it is made if missing.
            every: Epochs from one that is logged to the next: 5 for 0, 5, 10, ...
            fresh: Whether the epochs of an earlier training in that folder are removed when the first is logged.
                Files that are not the monitor's stay.
            tensorboard: Whether scalars go to TensorBoard too, into the same folder; or the writer to use.
            preset: Metric options by name, as in `zoo.analyze`.
            device: torch device of the decompositions. By default where the weights are.
            threads: Threads of the numerical libraries, by default as many as torch is set to.
            permutations: Permuted copies of each matrix that traps are counted by. 0 counts none, in half the time.
            options: What `zoo.analyze` takes besides, by the same names.

        Raises:
            CheckpointError: The weights have no values yet, or are quantized, sparse or spread over processes.
            FolderError: The folder is a file or a results folder, cannot be made or written to, or a file in it is
                damaged.
            OptionError: An option is unknown or out of range, this machine has no such device, or TensorBoard is not
                installed.
            TypeError: The model is of a kind that cannot be read.
            ValueError: The model has no weight matrix.
        """
        from catalogs.places import place_of
        from pipeline.decomposition.device import require_device
        from pipeline.options import options_of
        from setol_zoo.monitor_checks import require_known, require_matrices, require_tensorboard, whole
        from setol_zoo.monitor_rows import EpochFiles

        own = [name for name in signature(Monitor).parameters if name not in ("model", "folder", "options")]
        require_known(options, own)
        self.every = whole("every", every, 1)
        threads = None if threads is None else whole("threads", threads, 1)
        permutations = whole("permutations", permutations)
        if device is not None:
            require_device(device)
        require_matrices(model)
        self.model = model
        self._options = options_of(preset, permutations=permutations, **options)
        self._device, self._threads = device, threads
        self._files = EpochFiles(place_of(folder), fresh)
        self._tensorboard = tensorboard
        if tensorboard is True:
            require_tensorboard(self._files.where)
        self._files.open()
        self._earlier = self._files.epochs()

    def log(self, epoch: int, *, step: int | None = None, **measured: Any) -> "Logged":
        """Measure all layers as they are now, and put the rows of this epoch in place.

        Args:
            epoch: Epochs done, 0 for the network before training. Any whole number that grows does, such as steps.
            step: Steps of the optimizer done.
            measured: Numbers of your own, such as `test_error`: a column each, the same in all rows of the epoch; one
                that is not given is NULL. A name that a column of ours has gets `measured_` before it.

        Returns:
            The rows, which print as a table; none where `every` or the first process leaves this call out.

        Raises:
            CheckpointError: The weights cannot be read any more.
            OptionError: `epoch` or `step` is below 0, or a value is no number.
            OSError: The folder cannot be written to.
        """
        return self.log_numbers(epoch, step, measured)

    def log_numbers(
        self, epoch: int, step: int | None, measured: Mapping[str, Any], *, always: bool = False
    ) -> "Logged":
        """`log` for numbers of any name, such as `val/loss`.

        Args:
            epoch: As in `log`.
            step: As in `log`.
            measured: The numbers by name.
            always: Whether to log whatever `every` says.
        """
        from setol_zoo.monitor_checks import number, whole
        from setol_zoo.monitor_rows import Logged, epoch_rows, free_names, measured_rows

        epoch, step = whole("epoch", epoch), None if step is None else whole("step", step)
        numbers = {name: number(name, value) for name, value in free_names(measured).items()}
        left_out = None
        if not _in_first_process():
            left_out = "the first process logs"
        elif epoch % self.every and not always:
            left_out = f"only every {_ordinal(self.every)} epoch is"
        if left_out is not None:
            return Logged(epoch, step, numbers, left_out)
        if self._earlier and epoch <= self._earlier[-1]:
            warnings.warn(f"{self._files.where}: {_overlap(epoch, self._earlier)}", stacklevel=3)
            self._earlier = []
        start = time.perf_counter()
        metrics = measured_rows(self.model, self._options, self._device, self._threads)
        seconds = time.perf_counter() - start
        rows = epoch_rows(epoch, step, datetime.now(UTC).isoformat(timespec="milliseconds"), seconds, metrics)
        self._files.put(epoch, numbers, rows)
        logged = Logged(epoch, step, numbers, None, rows)
        if self._tensorboard:
            self._write_scalars(logged)
        return logged

    def table(self) -> "pd.DataFrame":
        """Everything logged so far in the folder, epoch by epoch.

        Raises:
            FolderError: A file is damaged.
        """
        return self._files.read().to_pandas()

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs that the folder has, ascending."""
        return tuple(self._files.epochs())

    def callback(self) -> "MonitorCallback":
        """What `lightning.pytorch.Trainer(callbacks=[...])` takes: logs before the first epoch and after each.

        Raises:
            OptionError: Lightning is not installed.
        """
        from pipeline.errors import OptionError

        try:
            from setol_zoo.lightning import MonitorCallback
        except ModuleNotFoundError as error:
            raise OptionError(f"a callback needs Lightning: pip install lightning ({error})") from error
        return MonitorCallback(self)

    def __repr__(self) -> str:
        from catalogs import counted

        epochs = self.epochs
        done = f"{counted(len(epochs), 'epoch')} logged, the last is {epochs[-1]}" if epochs else "nothing logged yet"
        return f"Monitor of {type(self.model).__name__} in {self._files.where}: {done}"

    def _write_scalars(self, logged: "Logged") -> None:
        """Write what TensorBoard shows, and see that it is on the disk."""
        at = logged.epoch if logged.step is None else logged.step
        if self._tensorboard is True:
            from torch.utils.tensorboard import SummaryWriter

            # What a killed training has written from here on is hidden: it comes again.
            self._tensorboard = SummaryWriter(str(self._files.where), purge_step=at)
        writer: Any = self._tensorboard
        for name, value in logged.measured.items():
            if value is not None:
                writer.add_scalar(f"measured/{name}", value, at)
        lines = ["| layer | phase |", "|---|---|"]
        for row in logged.to_arrow().to_pylist():
            tap = None if row["tap"] is None else f"tap_{row['tap']}"
            label = ".".join(filter(None, [row["layer"], row["part"], tap]))
            lines.append(f"| {label} | {row['phase'] or row['reason'] or '·'} |")
            for metric in SCALARS:
                if row[metric] is not None and math.isfinite(row[metric]):
                    writer.add_scalar(f"{metric}/{label}", row[metric], at)
        writer.add_text("phase", "\n".join(lines), at)
        writer.flush()


def _overlap(epoch: int, earlier: Sequence[int]) -> str:
    """What becomes of an earlier training's epochs, ascending, where one is logged that is not after them all."""
    sides = [[each for each in earlier if each < epoch], [each for each in earlier if each > epoch]]
    spans = [f"{side[0]} to {side[-1]}" if len(side) > 1 else str(side[0]) for side in sides if side]
    replaced = f"epoch {epoch} of an earlier training is replaced" if epoch in earlier else f"epoch {epoch} is new"
    if not spans:
        return f"{replaced}."
    several = sum(map(len, sides)) > 1
    which = f"epochs {' and '.join(spans)}" if several else f"epoch {spans[0]}"
    return (
        f"{replaced}; {which} of the earlier training {'stay' if several else 'stays'} until logged again, and table() "
        "shows both. If this is another training, give another folder, or Monitor(..., fresh=True)."
    )


def _in_first_process() -> bool:
    from torch import distributed

    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
