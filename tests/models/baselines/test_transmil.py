"""TransMIL against a loop written from the papers, exact attention, and itself in other batches."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from nystrom_attention.nystrom_attention import moore_penrose_iter_pinv
from torch import Tensor

from models.baselines.transmil import PPEG, TransLayer, TransMIL, patch_shares, square_copies
from tests.models.bags import DIM_IN, batch_of, draw_slides
from tests.reference.tolerance import relative_error
from tests.reference.transmil_loop import transmil_case


def small_model(embed_dim: int = 16) -> TransMIL:
    """In float64 and evaluation mode, with attention that is far from uniform and norms that are far from 1."""
    torch.manual_seed(0)
    model = TransMIL(dim_in=DIM_IN, n_outputs=3, embed_dim=embed_dim).double()
    with torch.no_grad():
        for layer in (model.layer_1, model.layer_2):
            layer.attention.to_qkv.weight.mul_(2)
        for norm in (model.layer_1.norm, model.layer_2.norm, model.norm):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.uniform_(-0.5, 0.5)
    return model.eval()


@pytest.mark.parametrize(
    ("sizes", "embed_dim"),
    [
        ([1], 16),  # 2 tokens, 8 landmarks: six rows of zeros in front
        ([2], 16),  # both patches are repeated to fill a square of 4
        ([4, 1], 16),  # a square of 9 with 4 copies: 10 tokens, 6 rows of zeros
        ([9], 16),  # a square as it is
        ([7, 4], 8),  # 17 tokens, 4 landmarks of 5 tokens; heads of width 1
        ([3, 1, 13], 16),  # three slides; a square of 25 with 8 copies, 26 tokens, 6 rows of zeros
    ],
    ids=str,
)
def test_equals_the_loop_from_the_papers(sizes: list[int], embed_dim: int):
    model, slides = small_model(embed_dim), draw_slides(sizes)
    out = model(*batch_of([slides]))
    F.cross_entropy(out.logits, torch.tensor([1])).backward()
    got = {name: parameter.grad for name, parameter in model.named_parameters()}

    parameters = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
    logits, row = transmil_case(parameters, torch.cat(slides))
    F.cross_entropy(logits.unsqueeze(0), torch.tensor([1])).backward()
    assert relative_error(out.logits[0], logits) < 1e-10
    shares = [sum(row[place] for place in range(m, len(row), sum(sizes))).clamp(min=0) for m in range(sum(sizes))]
    assert relative_error(out.attention, torch.stack(shares) / sum(shares)) < 1e-10
    for name, value in parameters.items():
        assert relative_error(got[name], value.grad) < 1e-10, name


def test_as_many_landmarks_as_tokens_are_exact_attention():
    """A pinv(A) A = A: the layer and its row are near those of torch's own attention, after 6 iterations to 0.5 %."""
    torch.manual_seed(1)
    layer = TransLayer(embed_dim=16, dropout=0.0).double().eval()
    with torch.no_grad():
        layer.attention.to_qkv.weight[:32].mul_(6)  # sharp attention, of which 6 iterations find the inverse
    tokens = torch.randn(8, 16, dtype=torch.float64)
    got, row = layer(tokens)

    attention = layer.attention
    q, k, v = (part.view(8, 8, 2).transpose(0, 1) for part in attention.to_qkv(layer.norm(tokens)).chunk(3, dim=1))
    heads = F.scaled_dot_product_attention(q, k, v) + attention.res_conv(v.unsqueeze(0)).squeeze(0)
    expected = tokens + attention.to_out(heads.transpose(0, 1).reshape(8, 16))
    weights = torch.softmax(q @ k.transpose(1, 2) / 2**0.5, dim=2)[:, 0].mean(dim=0)
    assert relative_error(got, expected) < 0.01
    assert relative_error(row, weights) < 0.01


def test_square_copies_by_hand():
    assert square_copies(1).tolist() == [0]
    assert square_copies(2).tolist() == [0, 1, 0, 1]
    assert square_copies(4).tolist() == [0, 1, 2, 3]
    assert square_copies(5).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert [len(square_copies(m)) for m in (9, 10, 16, 17, 99_856, 99_857)] == [9, 16, 16, 25, 99_856, 100_489]


def test_patch_shares_by_hand():
    # Patches 0 and 1 stand at two places each: 0.3 + 0.1, -0.2 + 0.1 < 0 and 0.6.
    row, original = torch.tensor([0.3, -0.2, 0.6, 0.1, 0.1]), torch.tensor([0, 1, 2, 0, 1])
    torch.testing.assert_close(patch_shares(row, original, 3), torch.tensor([0.4, 0.0, 0.6]))
    assert patch_shares(-row.abs(), original, 3).tolist() == pytest.approx([1 / 3] * 3)
    assert patch_shares(torch.tensor([-0.1]), torch.tensor([0]), 1).tolist() == [1.0]


def test_position_encoding_of_one_patch_by_hand():
    """A single patch in the middle of a 3 x 3 square meets every place with another weight of each kernel."""
    encode = PPEG(embed_dim=1).double()
    with torch.no_grad():
        for number, convolution in enumerate(encode.convolutions):
            size = convolution.kernel_size[0]
            convolution.weight.copy_(10**number * torch.arange(size * size).view(1, 1, size, size))
            convolution.bias.fill_(0.25)
    square = torch.zeros(9, 1, dtype=torch.float64)
    square[4] = 1
    # A place at offset (i, j) from the patch has the weight at offset (-i, -j) from the middle of each kernel.
    expected = [
        0.75 + (i == j == 0) + (24 - 7 * i - j) + 10 * (12 - 5 * i - j) + 100 * (4 - 3 * i - j)
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    ]
    assert encode(square).squeeze(1).tolist() == expected


def test_a_batch_is_its_cases_one_by_one():
    """The package would scale the pseudo-inverses of cases in one call by their common maxima."""
    model = small_model()
    cases = [draw_slides([30, 4]), draw_slides([1], seed=2), draw_slides([3, 2, 6], seed=3)]
    together, alone = model(*batch_of(cases)), [model(*batch_of([case])) for case in cases]
    assert_close(together.logits, torch.cat([out.logits for out in alone]))
    assert_close(together.attention, torch.cat([out.attention for out in alone]))


def test_only_the_order_of_the_patches_matters_and_not_their_slides():
    model, rows = small_model(), torch.cat(draw_slides([20]))
    whole, parts = model(*batch_of([[rows]])), model(*batch_of([[rows[:7], rows[7:]]]))
    assert_close(parts.logits, whole.logits)
    turned = model(*batch_of([[rows.flip(0)]]))
    assert (turned.logits - whole.logits).abs().max() > 1e-3


def test_the_attention_is_shared_out_among_the_patches():
    out = small_model()(*batch_of([draw_slides([30, 4]), draw_slides([1], seed=2)]))
    assert (out.attention >= 0).all()
    assert out.attention[:34].sum().item() == pytest.approx(1, abs=1e-12)
    assert out.attention[34:].tolist() == [1.0]


def test_every_parameter_is_trained():
    model = small_model()
    out = model(*batch_of([draw_slides([30, 4]), draw_slides([5], seed=2)]))
    F.cross_entropy(out.logits, torch.tensor([2, 0])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 1e-12, name


def test_parameter_count_of_the_paper():
    """2.67 M, as published.

    Projection 524,800; class token 512; two layers of LayerNorm 1,024, queries, keys and values 786,432, output 262,656
    and value convolution 264; position encoding 512 x (49 + 25 + 9 + 3); LayerNorm 1,024; head 1,026.
    """
    assert sum(p.numel() for p in TransMIL(dim_in=1024, n_outputs=2).parameters()) == 2_672_146


def test_a_width_that_the_heads_cannot_share_is_refused():
    with pytest.raises(ValueError, match="got embed_dim 12, expected a multiple of 8"):
        TransMIL(dim_in=4, n_outputs=2, embed_dim=12)


def test_layers_run_in_float32_under_autocast():
    torch.manual_seed(0)
    layer, tokens = TransLayer(embed_dim=16, dropout=0.0).eval(), torch.randn(21, 16)
    expected, expected_row = layer(tokens)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got, row = layer(tokens)
    assert torch.equal(got, expected)
    assert torch.equal(row, expected_row)


def test_16_bits_lose_the_pseudo_inverse_of_nearly_uniform_attention():
    """Why layers run in float32: 64 landmarks that differ by 1 %."""
    torch.manual_seed(0)
    attention = torch.softmax(0.01 * torch.randn(1, 8, 64, 64), dim=-1)
    exact = moore_penrose_iter_pinv(attention.double())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = moore_penrose_iter_pinv(attention)
    assert relative_error(moore_penrose_iter_pinv(attention).double(), exact) < 1e-3
    assert rounded.isfinite().all()
    assert relative_error(rounded.double(), exact) > 0.05


def assert_close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
