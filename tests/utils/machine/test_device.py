from __future__ import annotations

import pytest
import torch

from utils.errors import UserError
from utils.machine.device import AUTOCAST_DTYPES, resolve_device, resolve_precision


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_is_the_cpu():
    assert resolve_device("auto") == torch.device("cpu")
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:1"])
def test_a_gpu_that_is_not_there_is_refused(name: str):
    with pytest.raises(UserError, match=f"got --device {name}, but torch sees 0 GPUs here: use --device auto"):
        resolve_device(name)


@pytest.mark.usefixtures("two_gpus")
def test_gpus_are_found_by_number():
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cuda") == torch.device("cuda")
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UserError, match="got --device cuda:2, but torch sees 2 GPUs"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["", "gpu", "CPU", "0", "cuda:", "cuda:-1", "cuda:x", "cpu:5", "mps", "meta", "cpu "])
def test_unknown_devices_are_refused(name: str):
    with pytest.raises(UserError, match=f"got --device '{name}', expected auto, cpu, cuda or cuda:N"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_named_precision_is_taken_as_it_is(name: str, device: str):
    assert resolve_precision(name, torch.device(device)) == name
    assert name in AUTOCAST_DTYPES


@pytest.mark.parametrize(("bf16", "expected"), [(True, "bf16"), (False, "fp16")])
def test_automatic_precision_follows_the_hardware(monkeypatch: pytest.MonkeyPatch, bf16: bool, expected: str):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16 or including_emulation)
    assert resolve_precision("auto", torch.device("cuda")) == expected
    assert resolve_precision("auto", torch.device("cpu")) == "fp32"


def test_the_types_of_autocast():
    assert {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16} == AUTOCAST_DTYPES
