"""The pretended GPU catches what a real one would stumble over or wait for: a test of the tests that use it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.pretend_gpu import OnPretendGpu, pretend_gpu, to_cpu


def test_results_and_gradients_are_those_of_the_cpu():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2)), torch.randn(7, 5)
    out = model(x)
    out.square().sum().backward()
    expected = [out.detach(), *(parameter.grad.clone() for parameter in model.parameters())]
    model.zero_grad()
    with pretend_gpu() as counts:
        model.to("cuda")
        out = model(x.to("cuda"))
        assert isinstance(out, OnPretendGpu)
        assert (out.device.type, out.is_cuda, out.is_cpu) == ("cuda", True, False)
        out.square().sum().backward()
    found = to_cpu([out, *(parameter.grad for parameter in model.parameters())])
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert counts.kernels["addmm"] == 2
    assert counts.copies_to_cpu == 0


def test_an_index_left_on_the_cpu_is_found():
    with pretend_gpu(), pytest.raises(RuntimeError, match=r"same device.*index, a tensor of shape \(2,\)"):
        torch.arange(5.0).to("cuda")[torch.tensor([0, 3])]


def test_a_mask_made_on_the_cpu_is_found():
    with pretend_gpu(), pytest.raises(RuntimeError, match="same device"):
        torch.ones(3, device="cuda").masked_fill(torch.tensor([True, False, True]), 0.0)


def test_a_number_of_the_cpu_may_be_mixed_in():
    with pretend_gpu():
        assert (torch.ones(2).cuda() * torch.tensor(3.0)).tolist() == [3.0, 3.0]


def test_numpy_does_not_read_it():
    with pretend_gpu():
        on_gpu = torch.ones(2).cuda()
        with pytest.raises(TypeError, match="can't convert cuda:0"):
            on_gpu.numpy()
        assert on_gpu.cpu().numpy().tolist() == [1.0, 1.0]


WAITING = {
    "item": lambda x: x[0].item(),
    "float": lambda x: float(x.sum()),
    "if": lambda x: 1 if (x > 0).any() else 0,
    "tolist": lambda x: x.tolist(),
    "nonzero": lambda x: x.nonzero(),
    "mask as an index": lambda x: x[x > 1],
    "unique": lambda x: x.unique(),
    "equal": lambda x: torch.equal(x, x),
    "cpu": lambda x: x.cpu(),
    "to cpu": lambda x: x.to("cpu"),
    "new_tensor": lambda x: x.new_tensor([1.0]),
    "torch.tensor": lambda x: torch.tensor([1.0], device="cuda"),
    "to cuda": lambda x: torch.ones(2).to(x.device),
    "repeat_interleave": lambda x: x.repeat_interleave(x.long()),
    "synchronize": lambda x: torch.cuda.synchronize(),
}


@pytest.mark.parametrize("what", WAITING)
def test_what_waits_is_counted_with_its_line(what):
    with pretend_gpu() as counts:
        x = torch.arange(3.0).to("cuda", non_blocking=True)
        counts.clear()
        WAITING[what](x)
    assert sum(counts.waits.values()) == 1
    (place,) = counts.waits
    assert "tests/test_pretend_gpu.py:" in place


ASYNCHRONOUS = {
    "arithmetic": lambda x: (x * 2 + 1).sum().relu(),
    "index": lambda x: x[torch.zeros(2, dtype=torch.long, device="cuda")],
    "to cuda": lambda x: torch.ones(2).to(x.device, non_blocking=True),
    "repeat_interleave": lambda x: x.repeat_interleave(x.long(), output_size=3),
    "zeros": lambda x: torch.zeros(3, device=x.device) + x.new_zeros(3),
}


@pytest.mark.parametrize("what", ASYNCHRONOUS)
def test_what_does_not_wait_is_not_counted(what):
    with pretend_gpu() as counts:
        x = torch.arange(3.0).to("cuda", non_blocking=True)
        counts.clear()
        ASYNCHRONOUS[what](x)
    assert counts.waits == {}


def test_views_are_no_kernels():
    with pretend_gpu() as counts:
        x = torch.ones(4, 3).cuda()
        counts.clear()
        x.view(2, 6)[0].unsqueeze(0).transpose(0, 1).expand(6, 5)
        assert sum(counts.kernels.values()) == 0
        x.add_(1)
        assert counts.kernels == {"add_": 1}


def test_what_is_saved_from_it_needs_to_be_told_where_to_go(tmp_path):
    with pretend_gpu():
        torch.save({"weights": torch.arange(3.0).cuda(), "of the CPU": torch.ones(1)}, tmp_path / "state.pt")
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(tmp_path / "state.pt", weights_only=True)
    read = torch.load(tmp_path / "state.pt", map_location="cpu", weights_only=True)
    assert read["weights"].tolist() == [0.0, 1.0, 2.0]


def test_nothing_is_left_behind():
    with pretend_gpu():
        assert torch.cuda.is_available()
    assert not torch.cuda.is_available()
    assert torch.zeros(1).to("cpu").device.type == "cpu"
    with torch.autocast("cpu", torch.bfloat16):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
