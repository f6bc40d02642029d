"""Where a run computes, and in which precision."""

from __future__ import annotations

import re

import torch

from utils.errors import UserError


def resolve_device(name: str) -> torch.device:
    """`auto` is the first GPU where there is one, else the CPU.

    Raises:
        UserError: for a device that does not exist here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:[0-9]{1,2})?", name):
        raise UserError(f"got --device '{name}', expected auto, cpu, cuda or cuda:N")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"got --device {name}, but torch sees {torch.cuda.device_count()} GPUs here: use --device auto")
    return device


def resolve_precision(name: str, device: torch.device) -> str:
    """`auto` is fp32 on the CPU; on the GPU bf16 where the hardware has it, else fp16."""
    if name != "auto":
        return name
    if device.type == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


AUTOCAST_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
