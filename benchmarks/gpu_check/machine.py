"""The machine of a check, in words and numbers."""

from __future__ import annotations

import subprocess
from typing import Any

import torch

from benchmarks.timing import hardware
from utils.files.provenance import git_commit, package_versions


def machine_of(device: torch.device) -> dict[str, Any]:
    """Date, processor, versions, commit; of a GPU its name, memory, driver and CUDA."""
    facts: dict[str, Any] = {"machine": hardware(device)}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "card": properties.name,
            "memory of the card (GiB)": round(properties.total_memory / 2**30, 1),
            "compute capability": f"{properties.major}.{properties.minor}",
            "multiprocessors": properties.multi_processor_count,
            "driver": driver(),
            "CUDA of torch": torch.version.cuda,
            "cuDNN": torch.backends.cudnn.version(),
        }
    commit = git_commit()
    facts["commit"] = "none" if commit is None else commit["commit"] + (", modified" if commit["modified"] else "")
    return {**facts, **package_versions()}


def driver() -> str:
    """The version of the GPU's driver, as nvidia-smi says."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else "unknown"
