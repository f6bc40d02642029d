from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import utils.report.__main__
print(*sorted(name for name in sys.modules if name.partition(".")[0] == "matplotlib"))
"""


@pytest.mark.slow
def test_the_report_is_written_without_matplotlib():
    """Its charts are SVG of its own; importing matplotlib would take longer than reading a run."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
