"""What every model of the registry keeps: one call, ragged batches, and gradients for all of its parameters."""

from __future__ import annotations

import inspect
import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import MODELS, build_model, model_class, options_of
from models.losses import nll_survival
from models.objective import training_objective
from models.options import ModelOption
from tests.models.bags import DIM_IN, batch_of, draw_slides

every_model = pytest.mark.parametrize("name", MODELS)
CASES = [[30, 7], [1], [12], [3, 1, 4]]  # patches of each slide of each case
# Parameters that a softmax or the released form leaves without effect; the gradient of the first is 0 but for rounding.
IGNORED = ("attention_scorer.bias", "similarity_bias")


def model_of(name: str, **options: object) -> nn.Module:
    torch.manual_seed(3)
    small = {"dim_in": DIM_IN, "n_outputs": 3, "embed_dim": 16, **({"n_anchors": 8} if name == "mico" else {})}
    return build_model(name, **{**small, **options}).double().eval()


def cases_and_coords() -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    generator = torch.Generator().manual_seed(5)
    flat = iter(draw_slides([size for case in CASES for size in case]))
    cases = [[next(flat) for _ in case] for case in CASES]
    coords = [[torch.randint(0, 5000, (len(s), 2), generator=generator) for s in case] for case in cases]
    return cases, coords


def positions(coords: list[list[Tensor]]) -> Tensor:
    return torch.cat([slide for case in coords for slide in case])


def test_the_registry_is_complete():
    expected = "mico meanpool maxpool abmil clam_sb dsmil transmil dtfdmil patchgcn deepgraphconv"
    assert list(MODELS) == expected.split()
    assert {name for name in MODELS if "graph" in options_of(name)} == {"patchgcn", "deepgraphconv"}


@every_model
def test_one_call_signature(name: str):
    parameters = list(inspect.signature(model_class(name).forward).parameters.values())[1:]
    assert [p.name for p in parameters] == ["features", "slide_index", "case_index", "anchors", "coords"]
    assert [p.default for p in parameters[3:]] == [None, None]


@every_model
def test_a_case_does_not_depend_on_its_batch(name: str):
    model = model_of(name)
    cases, coords = cases_and_coords()
    together = model(*batch_of(cases), coords=positions(coords))
    alone = [model(*batch_of([case]), coords=positions([own])) for case, own in zip(cases, coords, strict=True)]
    assert together.logits.shape == (4, 3)
    torch.testing.assert_close(together.logits, torch.cat([out.logits for out in alone]), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(together.attention, torch.cat([out.attention for out in alone]), rtol=1e-9, atol=1e-10)


@every_model
def test_the_attention_is_shared_out_within_each_case(name: str):
    model = model_of(name)
    cases, coords = cases_and_coords()
    attention = model(*batch_of(cases), coords=positions(coords)).attention
    sums = torch.stack([part.sum() for part in attention.split([sum(sizes) for sizes in CASES])])
    assert (attention >= 0).all()
    if name == "mico":  # the remaining anchors have the rest
        assert ((sums > 0) & (sums < 1)).all()
    else:
        torch.testing.assert_close(sums, torch.ones_like(sums))


@every_model
def test_evaluation_repeats_itself(name: str):
    model = model_of(name)
    cases, coords = cases_and_coords()
    first, second = (model(*batch_of(cases), coords=positions(coords)).logits for _ in range(2))
    assert torch.equal(first, second)


@every_model
@pytest.mark.parametrize("task", ["cls", "surv"])
def test_every_parameter_is_trained(name: str, task: str):
    """By the objective of the task, summed over batches with several slides."""
    model = model_of(name, n_outputs=3)
    cases, coords = cases_and_coords()
    if task == "cls":
        target = {"label": torch.tensor([0, 1, 2, 1])}
        loss = lambda logits, known: F.cross_entropy(logits, known["label"])  # noqa: E731
    else:
        target = {"bin": torch.tensor([0, 1, 2, 1]), "censored": torch.tensor([0, 1, 0, 0])}
        loss = lambda logits, known: nll_survival(logits, known["bin"], known["censored"])  # noqa: E731
    out = model(*batch_of(cases), coords=positions(coords))
    training_objective(out, target, loss).backward()
    idle = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 1e-12}
    idle = {n for n in idle if not n.endswith(IGNORED)}
    if name == "clam_sb" and task == "surv":  # the instance loss needs class labels
        idle = {n for n in idle if not n.startswith("instance_classifiers")}
    assert idle == set()


@every_model
def test_trains_in_16_bits(name: str):
    model = model_of(name).float().train()
    cases, coords = cases_and_coords()
    features, slide_index, case_index = batch_of(cases)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(features.float(), slide_index, case_index, coords=positions(coords))
    F.cross_entropy(out.logits.float(), torch.tensor([0, 1, 2, 1])).backward()
    assert out.logits.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@every_model
def test_shapes_that_do_not_belong_together_are_named(name: str):
    model = model_of(name)
    features, slide_index, case_index = batch_of([[draw_slides([4])[0]]])
    coords = torch.arange(8).view(4, 2)
    with pytest.raises(ValueError, match=r"got features of shape \(4, 9\), expected \(N, 10\)"):
        model(features[:, 1:], slide_index, case_index, coords=coords)
    with pytest.raises(ValueError, match="got slide_index of shape"):
        model(features, slide_index[1:], case_index, coords=coords)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "mico"])
def test_a_case_without_patches_is_refused(name: str):
    features, slide_index, _ = batch_of([[draw_slides([4])[0]]])
    with pytest.raises(ValueError, match="got no patch of case 1 of the batch"):
        model_of(name)(features, slide_index, torch.tensor([0, 1]), coords=torch.arange(8).view(4, 2))


def test_unknown_models_are_named():
    with pytest.raises(ValueError, match="got model 'resnet', expected one of: abmil, "):
        build_model("resnet", dim_in=4, n_outputs=2)


@every_model
def test_an_option_that_the_model_does_not_have_is_named(name: str):
    with pytest.raises(ValueError, match=f"got n_heads for model '{name}', expected of: "):
        build_model(name, dim_in=4, n_outputs=2, n_heads=3)


NUMBERS = [(name, option) for name in MODELS for option in options_of(name).values() if option.kind in (int, float)]


@pytest.mark.parametrize(("name", "option"), NUMBERS, ids=lambda value: getattr(value, "name", value))
def test_numbers_that_an_option_cannot_have_are_named(name: str, option: ModelOption):
    """Every number that a model takes has limits (models/options.py); what a float takes, whole numbers are too."""
    assert option.limits is not None, f"give {option.name} a line in LIMITS"
    low, high = option.limits
    impossible: list[object] = [
        low - 1,
        high + 1,
        -1,
        -(10**30),
        10**30,
        math.nan,
        math.inf,
        -math.inf,
        "3",
        None,
        True,
    ]
    impossible += [low + 0.5] if option.kind is int else [1e308, -1e308]
    for value in impossible:
        with pytest.raises(ValueError, match=f"got {option.name} {re.escape(str(value))}, expected a "):
            build_model(name, dim_in=4, n_outputs=2, **{option.name: value})


@pytest.mark.parametrize(("name", "option"), NUMBERS, ids=lambda value: getattr(value, "name", value))
def test_a_model_at_the_limits_of_an_option_trains_or_says_why_not(name: str, option: ModelOption):
    """Logits and gradients are finite, or the values do not go together, which is a sentence; upper ends are small."""
    assert option.limits is not None
    cases, coords = cases_and_coords()
    for value in (option.limits[0], min(option.limits[1], 96 if option.kind is int else 1e9)):
        try:
            model = model_of(name, **{option.name: option.kind(value)}).train()
        except ValueError as error:
            assert re.match(r"got .*, expected a multiple of \d+|got \d+ anchors for \d+ stages", str(error))  # noqa: PT017
            continue
        out = model(*batch_of(cases), coords=positions(coords))
        F.cross_entropy(out.logits, torch.tensor([0, 1, 2, 1])).backward()
        assert out.logits.isfinite().all()
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@every_model
def test_options_are_the_keyword_arguments_of_the_class(name: str):
    """Read from the source without an import; `dim_in` and `n_outputs` have no default and are no options."""
    parameters = inspect.signature(model_class(name)).parameters
    assert {"dim_in", "n_outputs"} <= parameters.keys()
    expected = {key: p.default for key, p in parameters.items() if p.default is not p.empty}
    assert {key: option.default for key, option in options_of(name).items()} == expected
    assert all(option.help for option in options_of(name).values())


@every_model
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("of_model", [torch.float32, torch.float64], ids=str)
def test_features_of_every_type_are_taken(name: str, dtype: torch.dtype, of_model: torch.dtype):
    model = model_of(name).to(of_model)
    cases, coords = cases_and_coords()
    features, *index = batch_of(cases)
    features = features.to(dtype)
    out = model(features, *index, coords=positions(coords))
    expected = model(features.to(of_model), *index, coords=positions(coords))
    assert out.logits.dtype == of_model
    assert torch.equal(out.logits, expected.logits)
    assert torch.equal(out.attention, expected.attention)


class Affine(nn.Module):
    """A scale with a buffer, as the fitted one has."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.linspace(-1, 1, DIM_IN), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        return 3 * features.float() + self.shift


@every_model
def test_the_scale_of_the_features_is_inside_the_model_and_not_in_its_state(name: str):
    model, scale = model_of(name), Affine()
    keys = model.state_dict().keys()
    cases, coords = cases_and_coords()
    features, *index = batch_of(cases)
    expected = model(scale(features), *index, coords=positions(coords))
    plain = model(features, *index, coords=positions(coords))
    model.feature_scale = scale
    out = model(features, *index, coords=positions(coords))
    assert torch.equal(out.logits, expected.logits)
    assert not torch.equal(out.logits, plain.logits)
    assert model.state_dict().keys() == keys


@every_model
def test_features_that_are_no_floating_point_numbers_are_refused(name: str):
    with pytest.raises(ValueError, match=r"got features of torch.int64, expected float16, bfloat16"):
        model_of(name)(torch.zeros(2, DIM_IN).long(), torch.tensor([0, 0]), torch.tensor([0]))


@pytest.mark.parametrize("name", ["patchgcn", "deepgraphconv"])
def test_graphs_by_position_need_positions_and_those_by_features_do_not(name: str):
    batch = batch_of([[draw_slides([4])[0]]])
    with pytest.raises(ValueError, match=r"got no coords, expected \(N, 2\), level-0 pixels, or the model built with"):
        model_of(name)(*batch)
    with pytest.raises(ValueError, match=r"got coords of shape \(3, 2\), expected \(4, 2\)"):
        model_of(name)(*batch, coords=torch.zeros(3, 2))
    by_features = model_of(name, graph="features")
    assert torch.equal(by_features(*batch).logits, by_features(*batch, coords=torch.zeros(4, 2)).logits)
    with pytest.raises(ValueError, match="got graph 'spatial', expected one of: coords, features"):
        model_of(name, graph="spatial")


@every_model
@pytest.mark.parametrize(
    ("features", "slide_index"), [(torch.zeros(3, DIM_IN), torch.tensor([0, 1, 0])), (torch.zeros(2, DIM_IN), None)]
)
def test_an_index_that_goes_back_or_beyond_is_refused(name: str, features: Tensor, slide_index: Tensor | None):
    index = torch.tensor([0, 2]) if slide_index is None else slide_index
    coords = torch.zeros(len(features), 2).long()
    with pytest.raises(ValueError, match="got a slide_index"):
        model_of(name)(features.double(), index, torch.tensor([0, 0]), coords=coords)


# Parameters at the sizes of the papers: D = 1024, d = 512, two classes; layer by layer, in the order of the model.
COUNTS = {
    # anchors 64 x 1024; 2 projections; 3 x (MLP, LayerNorm); reducers of 64, 32, 16; processor, LayerNorm; attention;
    # head; 2 scalars
    "mico": 65_536
    + 2 * 524_800
    + 3 * (2 * 262_656 + 1024)
    + (4160 + 2080 + 1056 + 528 + 272 + 136)
    + 262_656
    + 1024
    + (2 * 262_656 + 513)
    + 262_656
    + 1026
    + 2,
    "meanpool": 524_800 + 1026,
    "maxpool": 524_800 + 1026,
    "abmil": 524_800 + 2 * 131_328 + 257 + 1026,
    "clam_sb": 524_800 + 2 * 131_328 + 257 + 1026 + 2 * 1026,  # 0.79 M, as in its paper's code
    "transmil": 2_672_146,  # 2.67 M, as reported by its users; test_transmil.py adds it up
}


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_parameter_counts(name: str, count: int):
    model = build_model(name, dim_in=1024, n_outputs=2)
    assert sum(parameter.numel() for parameter in model.parameters()) == count
