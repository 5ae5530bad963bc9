"""The trained zoo as a sample: the records that published models are compared by, of networks trained here."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.samples.sample import Sample, Target
from setol_zoo.lab.lab_tables import Tables

OF_LAYERS = (
    *("alpha", "alpha_hat", "log_alpha_norm", "log_norm", "log_spectral_norm", "stable_rank", "entropy"),
    *("erg_delta", "erg_gap", "tail_trace_log"),
)
"""Columns of layers whose mean over the layers with a tail is a metric, as in the view `model_metrics`."""

FROM_TWO = "alpha_from_2_mean"
"""Mean distance of alpha from 2, where the theory has the best networks: alpha itself need not be monotone."""

METRICS = (*(f"{name}_mean" for name in OF_LAYERS), FROM_TWO)
"""What the zoo is asked about."""

TRAINING = ("train_error", "train_loss")
"""What training tells without any metric of weights."""

SET = ("label_noise", "log10_data_share")
"""What was set of the data, and moves training and test error alike."""

TARGET = Target(dataset="test", split="test", score_metric="error", unit="fraction", higher_is_better=False)


def zoo_sample(tables: Tables) -> Sample:
    """The last state of every training that did not diverge, with its test error as the score.

    Args:
        tables: Those of the experiment.

    Returns:
        A model a training, its group as the family. Columns: `METRICS`, `TRAINING`, `SET`, `log10_params`.

    Raises:
        AnalysisError: No training ended without diverging.
    """
    networks = tables.networks.to_pandas()
    networks = networks[networks["last"] & (networks["end"] != "diverged") & networks["test_error"].notna()]
    networks = networks.sort_values(["group", "training"], kind="stable")
    if networks.empty:
        raise AnalysisError("no network of the experiment has a test error: nothing was trained, or all diverged.")
    means = _means(tables.layers.to_pandas()).reindex(pd.MultiIndex.from_frame(networks[["training", "epoch"]]))
    error = networks["test_error"].to_numpy(np.float64)
    return Sample(
        target=TARGET,
        models=tuple(networks["training"]),
        families=tuple(networks["group"]),
        architectures=tuple(networks["architecture"] + "-" + networks["widths"]),
        score=error,
        # Of so many test examples; networks of one data set are tested on the same ones.
        score_error=np.sqrt(error * (1 - error) / networks["n_test"].to_numpy(np.float64)),
        columns={
            **{name: means[name].to_numpy(np.float64) for name in METRICS},
            **{name: networks[name].to_numpy(np.float64) for name in TRAINING},
            "label_noise": networks["label_noise"].to_numpy(np.float64),
            "log10_data_share": np.log10(networks["data_share"].to_numpy(np.float64)),
            "log10_params": np.log10(networks["params"].to_numpy(np.float64)),
        },
        errors={},
    )


def perfect_fit(sample: Sample) -> NDArray[np.bool_]:
    """Whether each network gets all of its training examples right."""
    fits: NDArray[np.bool_] = sample.column("train_error") == 0
    return fits


def true_labels(sample: Sample) -> NDArray[np.bool_]:
    """Whether each network was trained without wrong labels."""
    true: NDArray[np.bool_] = sample.column("label_noise") == 0
    return true


def _means(layers: pd.DataFrame) -> pd.DataFrame:
    """Metrics of every state, the mean over its layers with a tail."""
    fitted = layers[layers["status"] == "ok"].copy()
    fitted["alpha_from_2"] = (fitted["alpha"] - 2).abs()
    found = fitted.groupby(["training", "epoch"])[[*OF_LAYERS, "alpha_from_2"]].mean()
    return found.add_suffix("_mean")
