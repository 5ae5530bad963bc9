"""Correlations that were printed elsewhere: the large-scale tables of Martin, Peng & Mahoney (Nat. Commun. 2021).

Their numbers as in the authors' submission source: github CalculatedContent/ww-trends-2020 at efe47232,
table_R2.tex, table_RMSE.tex, table_Ktau.tex. Metrics from data/osmr/df_all.csv there (WeightWatcher 0.2.7, layer
means), errors from the README of github osmr/imgclsmob at 9c3f7bd7.
"""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from setol_zoo.cli import main

METRICS = ("mean_log10_frobenius_norm", "ln_mean_spectral_norm", "alpha_hat", "mean_log10_alpha_norm")

MODELS = """\
group,model,top1_error_percent,mean_log10_frobenius_norm,ln_mean_spectral_norm,alpha_hat,mean_log10_alpha_norm
ESPNetv2,espnetv2_wd2,42.32,1.010768,2.043368,3.280504,3.768928
ESPNetv2,espnetv2_w1,33.92,0.873691,2.194769,2.323048,2.737389
ESPNetv2,espnetv2_w5d4,32.06,0.909602,2.025372,2.257698,2.687496
ESPNetv2,espnetv2_w3d2,30.83,0.935745,1.766179,2.221607,2.673858
ESPNetv2,espnetv2_w2,27.94,0.929604,1.661962,2.157291,2.628810
SqueezeNet,squeezenet_v1_0,39.29,1.075720,3.439338,3.865429,4.079986
SqueezeNet,squeezenet_v1_1,39.31,1.168427,2.987914,4.404101,4.703390
SqueezeNet,squeezeresnet_v1_0,39.77,1.088403,3.721467,4.055648,4.252788
SqueezeNet,squeezeresnet_v1_1,40.09,1.138889,3.036546,4.716095,4.901503
"""

PRINTED = {  # R2, RMSE, tau of each metric
    "ESPNetv2": [(0.42, 3.71, 0.0), (0.38, 3.84, 0.8), (0.92, 1.37, 1.0), (0.89, 1.59, 1.0)],
    "SqueezeNet": [(0.01, 0.33, 0.33), (0.0, 0.33, 0.0), (0.38, 0.26, 0.67), (0.26, 0.29, 0.67)],
}


def correlations(path: Path, *options: str) -> dict:
    words = ["correlate", "--metrics", str(path), "--scores", str(path), "--score", "top1_error_percent", *options]
    run = CliRunner().invoke(main, [*words, "--json"])
    assert run.exit_code == 0, run.output
    return json.loads(run.stdout)


def cells(found: dict) -> dict[tuple[str, str], tuple[float, ...]]:
    columns = ("r_squared", "rmse", "kendall_tau")
    return {
        (row["family"], row["metric"]): tuple(round(row[column], 2) + 0.0 for column in columns)
        for row in found["correlations"]
    }


def test_two_families_have_their_printed_numbers(tmp_path: Path) -> None:
    (tmp_path / "models.csv").write_text(MODELS)
    found = correlations(tmp_path / "models.csv", "--by", "group")
    assert cells(found) == {
        (group, metric): numbers
        for group, rows in PRINTED.items()
        for metric, numbers in zip(METRICS, rows, strict=True)
    }
    verdicts = {row["verdict"] for row in found["correlations"] if row["family"] == "SqueezeNet"}
    assert verdicts == {"too few to judge"}  # 4 models: shown as printed, not tested
    assert {row["kendall_p"] for row in found["correlations"] if row["family"] == "SqueezeNet"} == {None}


@pytest.mark.published
def test_all_27_groups_have_their_printed_numbers(natcomm2021: Path) -> None:
    found = correlations(natcomm2021 / "models.csv", "--by", "dataset,group", "--against", METRICS[0])
    with (natcomm2021 / "published.csv").open() as file:
        printed = {
            (f"{row['dataset']} / {row['group']}", row["metric"]): tuple(
                float(row[column]) for column in ("r2", "rmse", "kendall_tau")
            )
            for row in csv.DictReader(file)
        }
    assert len(printed) == 108
    assert cells(found) == printed
    together = {row["metric"]: row for row in found["together"]}
    assert [round(together[metric]["r_squared"], 3) for metric in METRICS] == [0.663, 0.595, 0.679, 0.681]
    assert [round(together[metric]["tau"]["tau"], 3) for metric in METRICS] == [0.652, 0.518, 0.642, 0.638]
    difference = together["alpha_hat"]["difference"]
    assert difference["tau"] == pytest.approx(-0.009, abs=1e-3)
    assert difference["interval"]["low"] == pytest.approx(-0.22, abs=0.03)
    assert difference["interval"]["high"] == pytest.approx(0.19, abs=0.03)
