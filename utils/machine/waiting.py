"""How the threads of a computation wait for one another: asleep, so that waiting costs nothing.

By itself, OpenMP lets a thread that waits spin for 300,000 turns, more than a millisecond in which it holds a core that
the awaited thread may need. Beside other work a training step of 50 patches took 481 CPU ms in two threads that spin,
and 68 in two that sleep (docs/scaling.md).
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

# Read by libgomp, the OpenMP of torch, faiss and scikit-learn, when it is loaded.
SLEEPING = {"OMP_WAIT_POLICY": "passive"}


def wait_asleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads that wait sleep, unless the user said how they wait; to be called before torch is imported."""
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & environment.keys():
        environment.update(SLEEPING)
