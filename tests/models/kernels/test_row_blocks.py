"""Blocks of rows, and what is computed when."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from models.kernels.row_blocks import Evaluation, RowValues, blocks_of
from models.kernels.segment_ops import Segments


@pytest.mark.parametrize("sizes", [[10], [3, 4, 3], [0, 5, 0, 5, 0], [1] * 10], ids=str)
@pytest.mark.parametrize("n_rows", [1, 3, 7, 9])
def test_blocks_hold_every_row_once_with_its_slide(sizes: list[int], n_rows: int):
    slides = Segments.from_index(torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)), len(sizes))
    blocks = blocks_of(slides, n_rows)
    assert [row for block in blocks for row in range(10)[block.rows]] == list(range(10))
    for block in blocks:
        assert len(range(10)[block.rows]) <= n_rows
        assert block.slides.sizes == tuple(torch.bincount(block.slides.index, minlength=block.slides.count).tolist())
        assert torch.equal(block.slides.index + block.slide_range.start, slides.index[block.rows])
        anchors = torch.arange(len(sizes))[:, None, None]
        assert block.own(anchors).flatten()[block.slides.index].tolist() == slides.index[block.rows].tolist()
        assert block.own(anchors[0]) is not None


def test_a_bag_that_fits_is_one_block_with_all_slides():
    slides = Segments.from_index(torch.tensor([0, 0, 2]), 4)
    (block,) = blocks_of(slides, 3)
    assert block.slides is slides
    assert block.rows == slice(0, 3)


@pytest.mark.parametrize(("replay", "uses", "calls"), [(False, 0, 1), (False, 3, 1), (True, 0, 0), (True, 3, 3)])
def test_held_steps_are_computed_once_and_replayed_ones_at_each_use(replay: bool, uses: int, calls: int):
    counted: list[int] = []
    held = Evaluation(recompute=False, replay=replay).hold(lambda: counted.append(1))
    for _ in range(uses):
        held()
    assert len(counted) == calls


def test_recomputed_steps_run_again_in_the_backward_pass():
    counted: list[int] = []
    x = torch.ones(3, requires_grad=True)

    def step() -> torch.Tensor:
        counted.append(1)
        return (x * x).exp()

    out = Evaluation(recompute=True, replay=False).run(step)
    assert len(counted) == 1
    out.sum().backward()
    assert len(counted) == 2
    torch.testing.assert_close(x.grad, 2 * x.detach() * torch.e)


def test_gradients_of_blocks_are_summed_in_32_bits():
    weight, row = torch.ones(1, 1, requires_grad=True), torch.ones(1, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = F.linear(256 * row, weight)  # its 16-bit copy of the weight is there before the blocks
        blocks = [Evaluation(recompute=True, replay=False).run(lambda: F.linear(row, weight)) for _ in range(51)]
        assert torch.is_autocast_cache_enabled()
    assert blocks[0].dtype == torch.bfloat16
    torch.stack([before, *blocks]).float().sum().backward()
    assert weight.grad.item() == 307  # bfloat16 has 306 and 308


@pytest.mark.parametrize("gradient", [False, True])
def test_values_of_blocks_come_together_in_order(gradient: bool):
    blocks = blocks_of(Segments(torch.zeros(7, dtype=torch.long), (7,)), 3)
    source = torch.arange(14.0).view(7, 2).requires_grad_(gradient)
    values = RowValues(7)
    assert not values
    with pytest.raises(ValueError, match="got no values"):
        values.all()
    for block in blocks:
        assert torch.equal(values.put(block, source[block.rows]), source[block.rows])
    assert values
    assert torch.equal(values.all(), source)
    assert values.all().requires_grad == gradient
