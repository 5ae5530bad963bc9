"""What happens to a run while it runs, and what is left of it: `python -m benchmarks.faults` prints the table."""
