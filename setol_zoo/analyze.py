"""One model in, its analysis out: what `setol analyze` and `setol_zoo.analyze` do."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setol_zoo.opened_model import AnyModel, OpenedModel, ask_nobody, device_for, open_model

if TYPE_CHECKING:
    from catalogs import Catalog, WeightFile
    from catalogs.places import Where
    from pipeline.display.summary import Reporter, RunSummary
    from pipeline.execution.job import Outcome
    from pipeline.options import Options
    from pipeline.planning.identify import Unidentified
    from pipeline.planning.plan import Plan
    from setol_zoo.analysis_result import Analysis


def analyze(
    model: AnyModel,
    *,
    base: AnyModel | None = None,
    preset: str = "default",
    device: str | None = None,
    threads: int | None = None,
    results: "str | Where | None" = None,
    **options: Any,
) -> "Analysis":
    """Spectra and metrics of every weight matrix of one model.

    Args:
        model: A torch module, a state dict, the path of a weight file or of a folder with one model, or a name that
            `setol analyze` takes: `resnet20`, `org/name` of the hub, `timm:resnet50.a1_in1k`. A module or state dict
            is read where it is and left as it is.
        base: What is subtracted from the weights, tensor by tensor under the same names, in any of these forms: the
            analysis is that of what training changed. Tensors that the base has not, or in another shape, are skipped.
        preset: Metric options by name: `default`, `weightwatcher` or `natcomm2021`.
        device: torch device of the decompositions. By default where the weights are, or, for files, the GPU if
            there is one.
        threads: Threads of the numerical libraries, by default as many as torch is set to. Results are the same to
            the last bit for the same device and number of threads.
        results: Results folder to keep everything in, a path or a URL, as `setol run` would; by default nothing is
            kept on disk.
        options: What `setol analyze` takes besides, by the same names: `min_evals`, `kernel_factor`, `detail`,
            `fingers`, `bulk`, `bootstrap`, which override the preset; `permutations`, `vectors`, `windows`,
            `precision`.

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
    from catalogs.places import place_of
    from pipeline.errors import OptionError
    from pipeline.options import options_of
    from setol_zoo.analysis_result import analysis_of

    if threads is not None and threads < 1:
        raise OptionError(f"threads must be at least 1, got {threads}.")
    configuration = options_of(preset, **options)
    kept = None if results is None else nullcontext(results)
    with (
        kept or TemporaryDirectory(prefix="setol-") as typed,
        with_threads(threads or torch.get_num_threads()) as count,
    ):
        folder = place_of(typed)
        if base is not None:
            key = analyze_difference(model, base, folder, configuration, device=device, threads=count)
        elif isinstance(model, str | Path):
            key = _analyze_file(model, folder, configuration, device or "auto", count)
        else:
            key = _analyze_opened(open_model(model), None, folder, configuration, device, count)
        return analysis_of(open_results(folder, configuration.config), key)


def analyze_catalog(
    catalog: "Catalog", folder: "Where", options: "Options", *, device: str, threads: int, reporter: "Reporter"
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
    from catalogs.places import cache_directory
    from pipeline.decomposition.device import require_device
    from pipeline.drive import RunRequest, drive
    from pipeline.execution.serial import run_serially
    from pipeline.store.folder import ResultsFolder

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


def analyze_difference(
    model: AnyModel, base: AnyModel, folder: "Where", options: "Options", *, device: str | None, threads: int
) -> str:
    """Write spectra and metrics of W - W_base into a results folder, as those of a model of their own.

    Args:
        model: W, in any form that `analyze` takes.
        base: W_base, the same.
        folder: The results folder; it is made if missing.
        options: How spectra are made and metrics computed.
        device: torch device; None for where the weights of the model are.
        threads: Threads of the numerical libraries, for the log; they are set by the caller.

    Returns:
        The key of that model, made of both names and both contents.

    Raises:
        CatalogError: No model has such a name.
        CheckpointError: Weights cannot be had or read, or the two have no matrix in common.
        FolderError: The results folder cannot be written to.
        OptionError: This machine has no such device.
        TypeError: A model is of a kind that cannot be read.
    """
    return _analyze_opened(open_model(model), open_model(base), folder, options, device, threads)


class Quiet:
    """A reporter that says nothing."""

    def planned(self, plan: "Plan", unidentified: "tuple[Unidentified, ...]") -> None:
        """Nothing to say."""

    def finished(self, outcome: "Outcome") -> None:
        """Nothing to say."""


def _analyze_file(target: str | Path, folder: "Where", options: "Options", device: str, threads: int) -> str:
    """Bring a results folder up to date with one model by path or name; its key."""
    from checkpoints.errors import CheckpointError
    from setol_zoo.targets import catalog_of_targets

    catalog = catalog_of_targets([f"path:{target}" if isinstance(target, Path) else target], choose=ask_nobody)
    summary = analyze_catalog(catalog, folder, options, device=device, threads=threads, reporter=Quiet())
    if summary.failures:
        told = "\n".join(dict.fromkeys(failure.error for failure in summary.failures))
        raise CheckpointError(told, transient=all(failure.transient for failure in summary.failures))
    return summary.renamed.get(catalog.models[0], catalog.models[0])


def _analyze_opened(
    model: OpenedModel, base: OpenedModel | None, root: "Where", options: "Options", device: str | None, threads: int
) -> str:
    """Write spectra and metrics of an open model, or of its difference to another, into a results folder; its key."""
    from dataclasses import replace

    from catalogs import CATALOG_SCHEMA, SCORES_SCHEMA, to_arrow
    from catalogs.apart import tell_apart
    from catalogs.places import cache_directory
    from checkpoints.base import base_of
    from pipeline.decomposition.spectra import file_spectra
    from pipeline.execution.attempt import finish, new_attempt
    from pipeline.execution.job import Job
    from pipeline.measurement.metrics import layers_table
    from pipeline.planning.plan import make_plan
    from pipeline.store.folder import ResultsFolder

    where = device_for(model, device)
    file = model.file if base is None else _difference(model.file, base.file)
    subtracted = None if base is None else base_of(base.checkpoint)
    (unit,) = make_plan([file], options, finished=(), failed=()).units
    folder = ResultsFolder(root)
    folder.prepare()
    (file,) = tell_apart([file], {}, folder.known()).files
    folder.merge("catalog", to_arrow([file], CATALOG_SCHEMA), [file.model])
    folder.merge("scores", to_arrow([], SCORES_SCHEMA), [file.model])
    planned = datetime.now(UTC).isoformat(timespec="microseconds")
    folder.save_options(options.config, {**options.content, "catalog": "memory", "planned": planned})
    job = Job(folder, cache_directory(), options.config, options, where, threads)
    attempt = new_attempt(file, job, unit=unit.fit_id)
    try:
        if folder.has_spectra(unit.spectra_id):
            attempt = replace(attempt, reused_spectra=True)
        else:
            called = replace(file, name=model.file.name)  # errors are about the model, not about its difference
            found = file_spectra(called, model.checkpoint, where, model.facts, options.spectrum, subtracted)
            folder.write_spectra(unit.spectra_id, found.table)
            attempt = replace(
                attempt,
                precision=found.precision,
                float32_deviation=found.float32_deviation,
                remarks="\n".join(found.remarks) or None,
            )
        layers = layers_table(folder.read_spectra(unit.spectra_id), options.metrics, options.config)
        folder.write_layers(unit.fit_id, layers)
    except Exception as error:
        folder.record(finish(attempt, error))
        raise
    folder.record(attempt)
    return file.model


def _difference(file: "WeightFile", base: "WeightFile") -> "WeightFile":
    """What the rows about W - W_base carry."""
    from hashlib import sha256

    from catalogs import WeightFile

    name = f"{file.name}-minus-{base.name}"
    content = sha256(f"{file.weights_sha256} minus {base.weights_sha256}".encode()).hexdigest()
    return WeightFile(
        model=f"memory:{name}@{content[:12]}",
        name=name,
        file=Path(file.file).name,  # its suffix says how layers are ordered
        weights_sha256=content,
        layout=file.layout,
    )


@contextmanager
def with_threads(count: int) -> Iterator[int]:
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
