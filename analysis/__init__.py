"""Results opened with SQL, set against published scores, drawn and reported.

    from analysis import open_results
    from analysis.correlate import correlate
    from analysis.report import write_report

The last two load statistics and figures, so they are not loaded with the first.
"""

from analysis.configurations import Configuration
from analysis.errors import AnalysisError
from analysis.results import Results, open_results

__all__ = ["AnalysisError", "Configuration", "Results", "open_results"]
