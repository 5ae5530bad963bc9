"""What a results folder lacks of what was asked for."""

from collections.abc import Sequence
from dataclasses import replace

from catalogs import WeightFile
from pipeline.options import Options
from pipeline.planning.plan import Plan, make_plan
from pipeline.store.folder import ResultsFolder, is_log


def plan_in(folder: ResultsFolder, files: Sequence[WeightFile], options: Options, *, retry_failed: bool) -> Plan:
    """Plan what a results folder lacks; files of it that cannot be read count as missing.

    Of what is done only the ends of the files are looked at; spectra whose metrics are wanted are read through. Of the
    damaged files the plan has those that it makes anew, and those of the journals, which nobody can read; others are
    left to the runs that make them. Of the log none is made anew: a note says that they are passed over.

    Args:
        folder: The results folder; nothing is written to it.
        files: Weight files of known content.
        options: How spectra are made and metrics computed.
        retry_failed: Whether what failed for good is planned too.
    """
    damaged = folder.damaged()
    there = folder.finished() - {each.path.stem for each in damaged}
    failed = frozenset() if retry_failed else folder.permanently_failed({each.name for each in damaged})
    plan = make_plan(files, options, finished=there, failed=failed)
    rotten = folder.damaged_spectra([unit.spectra_id for unit in plan.units if unit.spectra_id in there])
    ids = {name for unit in plan.units for name in (unit.spectra_id, unit.fit_id)}
    own = [each for each in damaged if each.path.stem in ids or each.name.startswith(("catalog", "scores"))]
    notes = [f"{each.path} cannot be read ({each.error}): passed over" for each in damaged if is_log(each.name)]
    return replace(plan, damaged=(*own, *rotten), notes=(*plan.notes, *notes))
