"""What a results folder lacks of what was asked for."""

from collections.abc import Sequence
from dataclasses import replace

from catalogs import WeightFile
from pipeline.folder import ResultsFolder
from pipeline.options import Options
from pipeline.plan import Plan, make_plan


def plan_in(folder: ResultsFolder, files: Sequence[WeightFile], options: Options, *, retry_failed: bool) -> Plan:
    """Plan what a results folder lacks; files of it that cannot be read count as missing.

    Args:
        folder: The results folder; nothing is written to it.
        files: Weight files of known content.
        options: How spectra are made and metrics computed.
        retry_failed: Whether what failed for good is planned too.
    """
    units = make_plan(files, options, finished=(), failed=()).units
    damaged = folder.damaged({name for unit in units for name in (unit.spectra_id, unit.fit_id)})
    plan = make_plan(
        files,
        options,
        finished=folder.finished() - {each.path.stem for each in damaged},
        failed=frozenset() if retry_failed else folder.permanently_failed({each.name for each in damaged}),
    )
    return replace(plan, damaged=damaged)
