"""Results opened with SQL, set against published scores, drawn and reported.

    from analysis import open_results
    from analysis.studies.correlate import correlate
    from analysis.reporting.report import write_report

The last two load statistics and figures, so they are not loaded with the first.
"""

from analysis.errors import AnalysisError
from analysis.opening.configurations import Configuration
from analysis.opening.results import Results, open_results

__all__ = ["AnalysisError", "Configuration", "Results", "open_results"]
