"""`run_clustering.py` in this process, with its seconds and its peak of anonymous memory as JSON in the last line.

`python -m benchmarks.clustering_process` takes the arguments of `run_clustering.py`. The peak is that of the process,
libraries included. The seconds begin after these are imported.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.timing import PeakMemory, anonymous_bytes


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    before = anonymous_bytes()
    with PeakMemory() as peak:
        import run_clustering
        from utils.pipeline import clustering

        kmeans, in_kmeans = clustering.kmeans, []

        def timed(*given: Any, **options: Any) -> Any:
            started = time.perf_counter()
            result = kmeans(*given, **options)
            in_kmeans.append(time.perf_counter() - started)
            return result

        clustering.kmeans = timed
        args = run_clustering.get_args_parser().parse_args(arguments)
        started = time.perf_counter()
        status = run_clustering.main(args)
        seconds = time.perf_counter() - started
    measured = {"seconds": seconds, "kmeans": sum(in_kmeans), "bytes": before + peak.bytes}
    sys.stdout.write(json.dumps(measured) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
