"""One model in, its analysis out: what `setol analyze` and `setol_zoo.analyze` do."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from catalogs import Catalog
    from checkpoints.live import LiveCheckpoint
    from pipeline.drive import Reporter, RunSummary
    from pipeline.identify import Unidentified
    from pipeline.options import Options
    from pipeline.plan import Plan
    from pipeline.worker import Outcome
    from setol_zoo.analysis_result import Analysis


def analyze(
    model: "nn.Module | Mapping[str, Any] | str | Path",
    *,
    preset: str = "default",
    device: str | None = None,
    threads: int | None = None,
    results: str | Path | None = None,
    min_evals: int | None = None,
) -> "Analysis":
    """Spectra and metrics of every weight matrix of one model.

    Args:
        model: A torch module, a state dict, the path of a weight file or of a folder with one model, or a name that
            `setol analyze` takes: `resnet20`, `org/name` of the hub, `timm:resnet50.a1_in1k`. A module or state dict
            is read where it is and left as it is.
        preset: Metric options by name: `default` or `weightwatcher`.
        device: torch device of the decompositions. By default where the weights are, or, for files, the GPU if
            there is one.
        threads: Threads of the numerical libraries, by default as many as torch is set to. Results are the same to
            the last bit for the same device and number of threads.
        results: Results folder to keep everything in, as `setol run` would; by default nothing is kept on disk.
        min_evals: Fewest eigenvalues for a tail fit; overrides the preset.

    Returns:
        The analysis. Layers that could not be analyzed are rows with a reason.

    Raises:
        CatalogError: No model has that name; the message has the nearest.
        CheckpointError: The weights cannot be had or read; the message says what to do.
        FolderError: The results folder cannot be written to.
        OptionError: An option is unknown or out of range, or this machine has no such device.
        TypeError: The model is of a kind that cannot be read.
    """
    from tempfile import TemporaryDirectory

    import torch

    from analysis import open_results
    from pipeline.options import Options
    from pipeline.options import preset as metric_options
    from setol_zoo.analysis_result import analysis_of

    options = Options(metrics=metric_options(preset, min_evals=min_evals))
    kept = None if results is None else nullcontext(str(Path(results).absolute()))
    with kept or TemporaryDirectory(prefix="setol-") as folder, _threads(threads or torch.get_num_threads()) as count:
        if isinstance(model, str | Path):
            key = _analyze_file(model, Path(folder), options, device or "auto", count)
        else:
            key = _analyze_live(_open_live(model), Path(folder), options, device, count)
        return analysis_of(open_results(folder, options.config), key)


def analyze_catalog(
    catalog: "Catalog", folder: Path, options: "Options", *, device: str, threads: int, reporter: "Reporter"
) -> "RunSummary":
    """Bring a results folder up to date with a few models, in this process; what failed before is tried again.

    Args:
        catalog: The models.
        folder: The results folder; it is made if missing.
        options: How spectra are made and metrics computed.
        device: torch device, or `auto`.
        threads: Threads of the numerical libraries.
        reporter: Told what happens.

    Raises:
        FolderError: The results folder cannot be written to.
        OptionError: This machine has no such device.
    """
    from checkpoints.fetch import cache_directory
    from pipeline.device import require_device
    from pipeline.drive import RunRequest, drive
    from pipeline.folder import ResultsFolder
    from pipeline.serial import run_serially

    require_device(device)
    request = RunRequest(
        catalog,
        ResultsFolder(folder),
        cache_directory(),
        options,
        device=device,
        threads=threads,
        retry_failed=True,
    )
    return drive(request, run_serially, reporter)


class _Quiet:
    """A reporter that says nothing."""

    def planned(self, plan: "Plan", unidentified: "tuple[Unidentified, ...]") -> None:
        """Nothing to say."""

    def finished(self, outcome: "Outcome") -> None:
        """Nothing to say."""


def _analyze_file(target: str | Path, folder: Path, options: "Options", device: str, threads: int) -> str:
    """Bring a results folder up to date with one model by path or name; its key."""
    from checkpoints.errors import CheckpointError
    from setol_zoo.targets import catalog_of_targets

    catalog = catalog_of_targets([f"path:{target}" if isinstance(target, Path) else target], choose=_ask_nobody)
    summary = analyze_catalog(catalog, folder, options, device=device, threads=threads, reporter=_Quiet())
    if summary.failures:
        told = "\n".join(dict.fromkeys(failure.error for failure in summary.failures))
        raise CheckpointError(told, transient=all(failure.transient for failure in summary.failures))
    return summary.renamed.get(catalog.models[0], catalog.models[0])


def _ask_nobody(name: str, meanings: Sequence[str]) -> None:
    """A call from a program gets an error with the meanings, not a question on its terminal."""


def _open_live(model: Any) -> "LiveCheckpoint":
    """A module or state dict as a checkpoint, or a sentence on what to do with anything else."""
    from torch import nn

    from checkpoints.live import live_module, live_state_dict
    from checkpoints.open import state_dict_in
    from setol_zoo.refusals import no_model

    if isinstance(model, nn.Module):
        return live_module(model)
    if tensors := state_dict_in(model):
        return live_state_dict(tensors)
    raise TypeError(no_model(model))


def _analyze_live(
    checkpoint: "LiveCheckpoint", root: Path, options: "Options", device: str | None, threads: int
) -> str:
    """Write spectra and metrics of what is in memory into a results folder; the model's key."""
    import pyarrow.parquet as pq

    from catalogs import CATALOG_SCHEMA, SCORES_SCHEMA, WeightFile, to_arrow
    from pipeline.device import require_device
    from pipeline.folder import ResultsFolder, write_table
    from pipeline.metrics import layers_table
    from pipeline.plan import make_plan
    from pipeline.records import SPECTRA_SCHEMA
    from pipeline.spectra import spectra_table
    from pipeline.worker import Job, finish, new_attempt

    where = device or checkpoint.device
    require_device(where)
    sha256 = checkpoint.sha256()
    file = WeightFile(
        model=f"memory:{checkpoint.name}@{sha256[:12]}",
        name=checkpoint.name,
        file=checkpoint.name,
        weights_sha256=sha256,
        layout="module" if checkpoint.facts else None,
    )
    (unit,) = make_plan([file], options, finished=(), failed=()).units
    folder = ResultsFolder(root)
    folder.prepare()
    folder.merge("catalog", to_arrow([file], CATALOG_SCHEMA), [file.model])
    folder.merge("scores", to_arrow([], SCORES_SCHEMA), [file.model])
    planned = datetime.now(UTC).isoformat(timespec="microseconds")
    folder.save_options(options.config, {**options.content, "catalog": "memory", "planned": planned})
    attempt = new_attempt(file, Job(folder, root, options.config, options, where, threads), unit=unit.fit_id)
    try:
        spectra_path = folder.spectra_path(unit.spectra_id)
        if not spectra_path.exists():
            write_table(spectra_table(file, checkpoint, where, checkpoint.facts), spectra_path)
        spectra = pq.read_table(spectra_path, schema=SPECTRA_SCHEMA)
        write_table(layers_table(spectra, options.metrics, options.config), folder.layers_path(unit.fit_id))
    except Exception as error:
        folder.record(finish(attempt, error))
        raise
    folder.record(attempt)
    return file.model


@contextmanager
def _threads(count: int) -> Iterator[int]:
    """That many threads in every numerical library; afterwards as many as before."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(count):
        torch.set_num_threads(count)
        try:
            yield count
        finally:
            torch.set_num_threads(before)
