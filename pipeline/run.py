"""The main job as a script: `ray submit CLUSTER.yaml pipeline/run.py -- --catalog demo --results s3://bucket/run1`.

Ray copies this one file to the home folder of the cluster's head, so it only calls the installed package. On a head,
and inside a job of `ray job submit`, it joins the cluster; anywhere else it is `setol run`.
"""

import os
import sys
from pathlib import Path

from setol_zoo.cli import main

BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""What `ray up` leaves on a head."""

if __name__ == "__main__":
    if Path(__file__).resolve().parent == Path.home().resolve() and BOOTSTRAP.expanduser().exists():
        os.environ.setdefault("RAY_ADDRESS", "auto")
    main(["run", *sys.argv[1:]], prog_name="setol")
