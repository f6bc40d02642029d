"""Gated attention over ragged cases against one case at a time."""

from __future__ import annotations

import torch

from models.attention_pool import GatedAttentionPool, merge_pooled, no_rows, pool_rows


def test_pools_each_case_by_itself_in_any_row_order():
    torch.manual_seed(0)
    pool = GatedAttentionPool(embed_dim=6, dropout=0.0).double()
    z = torch.randn(9, 6, dtype=torch.float64)
    case_of_row = torch.tensor([0, 2, 1, 0, 2, 2, 0, 1, 1])
    pooled, attention = pool(z, case_of_row, n_cases=3)
    for case in range(3):
        rows = z[case_of_row == case]
        v = torch.tanh(rows @ pool.feature_transform[0].weight.T + pool.feature_transform[0].bias)
        u = torch.sigmoid(rows @ pool.attention_gate[0].weight.T + pool.attention_gate[0].bias)
        score = (v * u) @ pool.attention_scorer.weight[0] + pool.attention_scorer.bias
        weights = torch.softmax(score, dim=0)
        torch.testing.assert_close(attention[case_of_row == case], weights)
        torch.testing.assert_close(pooled[case], weights @ rows)


def test_half_precision_is_summed_in_float32():
    pool = GatedAttentionPool(embed_dim=4, dropout=0.0)
    z = torch.ones(20_000, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled, attention = pool(z.bfloat16(), torch.zeros(20_000, dtype=torch.long), n_cases=1)
    assert pooled.dtype == attention.dtype == torch.float32
    torch.testing.assert_close(
        pooled, torch.ones(1, 4), rtol=1e-3, atol=0
    )  # bfloat16 sums would stop at 256 equal terms


def test_parts_without_rows_of_a_case_change_nothing():
    z, score, case = torch.randn(6, 3), torch.randn(6), torch.tensor([0, 0, 1, 1, 1, 1])
    whole = pool_rows(z, score, case, 2)
    merged = no_rows(2, 3, score)
    for rows in (slice(0, 2), slice(2, 2), slice(2, 3), slice(3, 6)):
        merged = merge_pooled([merged, pool_rows(z[rows], score[rows], case[rows], 2)])
    for got, expected in zip(merged, whole, strict=True):
        torch.testing.assert_close(got, expected)
