"""TransMIL written a second time for one case, from the papers: heads, landmarks, and convolutions are Python loops.

Shao et al. 2021 for the model, Xiong et al. 2021 (Nystromformer) for the attention: with landmarks Q~, K~ that are
means of l consecutive queries and keys, `softmax(Q K~^T) Z softmax(Q~ K^T) V` plus a depth-wise convolution of V along
the sequence, where Z approximates the pseudo-inverse of `A = softmax(Q~ K~^T)` by
`Z <- Z (13 I - A Z (15 I - A Z (7 I - A Z))) / 4`, from `Z = A^T / (max column sum * max row sum)`. The maxima are
over all heads, as in the package; the sequence is filled up with zeros in front to a multiple of the landmarks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.reference.mico_loop import layer_norm, linear, relu

N_HEADS, N_ITERATIONS = 8, 6


def transmil_case(p: dict[str, Tensor], features: Tensor) -> tuple[Tensor, Tensor]:
    """The logits (C,), and the class token's row of attention in layer 2 to each place of the square (S * S,)."""
    patches = [relu(linear(p, "projector.0", x)) for x in features]
    side = math.ceil(math.sqrt(len(patches)))
    square = [patches[place % len(patches)] for place in range(side * side)]
    tokens, _ = trans_layer(p, "layer_1", [p["class_token"][0], *square])
    tokens, row = trans_layer(p, "layer_2", [tokens[0], *position_encoding(p, tokens[1:], side)])
    return linear(p, "classifier", layer_norm(p, "norm", tokens[0])), row[1:]


def trans_layer(p: dict[str, Tensor], name: str, tokens: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """The new tokens, and the first token's approximated attention to all tokens, mean over the heads."""
    width = len(tokens[0])
    n_landmarks, n_tokens = width // 2, len(tokens)
    span = math.ceil(n_tokens / n_landmarks)
    n_zeros = n_landmarks * span - n_tokens
    normed = [torch.zeros_like(tokens[0])] * n_zeros + [layer_norm(p, f"{name}.norm", x) for x in tokens]
    projected = torch.stack([p[f"{name}.attention.to_qkv.weight"] @ x for x in normed])  # (n', 3 d)

    heads = []
    for head in range(N_HEADS):
        columns = slice(head * width // N_HEADS, (head + 1) * width // N_HEADS)
        q, k, v = (part[:, columns] for part in projected.split(width, dim=1))  # (n', d / 8) each
        q = q / math.sqrt(width // N_HEADS)
        q_mean = torch.stack([sum(q[i * span + j] for j in range(span)) / span for i in range(n_landmarks)])
        k_mean = torch.stack([sum(k[i * span + j] for j in range(span)) / span for i in range(n_landmarks)])
        heads.append((row_softmax(q @ k_mean.T), row_softmax(q_mean @ k_mean.T), row_softmax(q_mean @ k.T), v))

    largest_row_sum = max(row.sum() for _, a, _, _ in heads for row in a)
    largest_column_sum = max(column.sum() for _, a, _, _ in heads for column in a.T)
    outputs, rows = [], []
    for head, (first, a, last, v) in enumerate(heads):
        weights = first @ pseudo_inverse(a, largest_row_sum * largest_column_sum) @ last  # (n', n')
        outputs.append(weights @ v + value_convolution(p[f"{name}.attention.res_conv.weight"][head, 0, :, 0], v))
        rows.append(weights[n_zeros, n_zeros:])
    joined = torch.cat(outputs, dim=1)  # (n', d)
    attended = [linear(p, f"{name}.attention.to_out.0", joined[n_zeros + i]) for i in range(n_tokens)]
    return [x + y for x, y in zip(tokens, attended, strict=True)], sum(rows) / N_HEADS


def row_softmax(scores: Tensor) -> Tensor:
    return torch.stack([torch.exp(row) / torch.exp(row).sum() for row in scores])


def pseudo_inverse(a: Tensor, scale: Tensor) -> Tensor:
    identity = torch.eye(len(a), dtype=a.dtype)
    z = a.T / scale
    for _ in range(N_ITERATIONS):
        az = a @ z
        z = z @ (13 * identity - az @ (15 * identity - az @ (7 * identity - az))) / 4
    return z


def value_convolution(kernel: Tensor, v: Tensor) -> Tensor:
    """`out_i = sum_j kernel_j v_{i + j - 16}` for 33 weights; rows outside are 0."""
    half = len(kernel) // 2
    return torch.stack(
        [
            sum(kernel[j] * v[i + j - half] for j in range(len(kernel)) if 0 <= i + j - half < len(v))
            for i in range(len(v))
        ]
    )


def position_encoding(p: dict[str, Tensor], places: list[Tensor], side: int) -> list[Tensor]:
    """Each place plus its three convolutions, one weight for each channel and offset; places outside are 0."""
    out = []
    for row in range(side):
        for column in range(side):
            total = places[row * side + column]
            for number, size in enumerate((7, 5, 3)):
                weight, half = p[f"position_encoding.convolutions.{number}.weight"], size // 2  # (d, 1, size, size)
                total = total + p[f"position_encoding.convolutions.{number}.bias"]
                for i in range(max(0, row - half), min(side, row + half + 1)):
                    for j in range(max(0, column - half), min(side, column + half + 1)):
                        total = total + weight[:, 0, i - row + half, j - column + half] * places[i * side + j]
            out.append(total)
    return out
