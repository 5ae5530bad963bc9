"""`setol run`."""
import sys
from pathlib import Path
import click

@click.command()
@click.argument("models", nargs=-1)
@click.option("--catalog", default="demo")
@click.option("--results", default="results")
@click.option("--executor", default="ray")
def command(models, catalog, results, executor):
    from rich.console import Console
    from functools import partial
    from catalogs import load_catalog
    from checkpoints.fetch import cache_directory
    from pipeline.drive import RunRequest, drive
    from pipeline.folder import ResultsFolder
    from pipeline.options import MetricOptions, SpectrumOptions
    from pipeline.progress import ProgressReporter
    from pipeline.serial import run_serially
    from pipeline.cluster import run_on_ray
    c = load_catalog(catalog)
    if models: c = c.select(models)
    req = RunRequest(c, ResultsFolder(Path(results).absolute()), cache_directory(), SpectrumOptions(), MetricOptions())
    with ProgressReporter(Console()) as rep:
        s = drive(req, run_serially if executor == "serial" else run_on_ray, rep)
    print(s)
