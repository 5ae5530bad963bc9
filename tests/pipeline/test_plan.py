"""Planning is pure: the same input, the same units."""

from catalogs import WeightFile
from pipeline.options import MetricOptions, Options
from pipeline.planning.plan import make_plan


def file(name: str, sha: str, size: int = 1) -> WeightFile:
    return WeightFile(model=f"path:{name}", name=name, file=f"/x/{name}", weights_sha256=sha * 32, size=size)


def plan(files, *, finished=(), failed=(), options=Options()):  # noqa: B008 - frozen
    return make_plan(files, options, finished=finished, failed=failed)


def test_largest_first():
    found = plan([file("small", "aa", 1), file("large", "bb", 9), file("middle", "cc", 5)])
    assert [unit.file.name for unit in found.units] == ["large", "middle", "small"]


def test_one_content_under_two_names_is_one_unit():
    found = plan([file("first", "aa"), file("second", "aa")])
    assert [unit.file.name for unit in found.units] == ["first"]
    assert len(found.files) == 2


def test_what_is_finished_is_not_done_again():
    first = plan([file("a", "aa"), file("b", "bb")])
    done = first.units[0]
    second = plan([file("a", "aa"), file("b", "bb")], finished={done.spectra_id, done.fit_id})
    assert [unit.fit_id for unit in second.finished] == [done.fit_id]
    assert [unit.fit_id for unit in second.units] == [first.units[1].fit_id]


def test_one_of_the_two_files_is_not_enough():
    unit = plan([file("a", "aa")]).units[0]
    for name in (unit.spectra_id, unit.fit_id):
        assert plan([file("a", "aa")], finished={name}).units == (unit,)


def test_other_metric_options_are_another_fit_of_the_same_spectra():
    default, other = (
        plan([file("a", "aa")]),
        plan([file("a", "aa")], options=Options(metrics=MetricOptions(min_evals=20))),
    )
    assert default.units[0].spectra_id == other.units[0].spectra_id
    assert default.units[0].fit_id != other.units[0].fit_id


def test_what_failed_for_good_is_held_back_unless_it_is_there_now():
    unit = plan([file("a", "aa")]).units[0]
    held = plan([file("a", "aa")], failed={unit.fit_id})
    assert [each.fit_id for each in held.held_back] == [unit.fit_id]
    assert not held.units
    there = plan([file("a", "aa")], failed={unit.fit_id}, finished={unit.spectra_id, unit.fit_id})
    assert not there.held_back
    assert len(there.finished) == 1
