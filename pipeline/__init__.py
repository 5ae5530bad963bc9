"""The job: plan, units, workers, publish. Steps are plain functions; only `cluster` knows Ray."""
