"""A GPU that is pretended on the CPU: what code does with one can be seen where none is there.

Tensors that are sent to `cuda` become `OnPretendGpu`: their `device` says `cuda:0`, they refuse to be mixed with
tensors of the CPU and to be read by numpy, as those of a GPU do, and what is done with them is counted. They are
computed on the CPU, so that numbers can be compared with those of the CPU, bit by bit in fp32.

    with pretend_gpu() as counts:
        model.to("cuda")(features.to("cuda"), ...)
    counts.waits, counts.kernels, counts.copies_to_cpu

What it cannot show: kernels that differ from those of the CPU, time, memory, streams and their order.
"""

from __future__ import annotations

import contextlib
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_map_only

GPU = torch.device("cuda:0")
ROOT = Path(__file__).parents[1]

# Operations that read a number, or a size, back from the GPU: the processor waits until the GPU has caught up.
WAITS = {
    "_local_scalar_dense", "is_nonzero", "equal", "nonzero", "nonzero_numpy", "_unique2", "unique_dim",
    "unique_consecutive", "masked_select", "bincount", "repeat_interleave.Tensor",
}  # fmt: skip
FACTORIES = (
    "arange", "as_tensor", "empty", "eye", "full", "linspace", "ones", "rand", "randint", "randn", "randperm", "tensor",
    "zeros",
)  # fmt: skip
# Operations that take tensors of both sides: copies to the GPU.
COPIES = {"copy_", "_to_copy"}

_SAVED: set[int] = set()  # where the memory of tensors begins that are saved as those of a GPU
torch.serialization.register_package(
    5, lambda storage: "cuda:0" if storage.data_ptr() in _SAVED else None, lambda storage, place: None
)


@dataclass
class Counts:
    """What was done on the pretended GPU.

    Attributes:
        kernels: operations that a GPU runs, by name; views and allocations are none.
        waits: where the processor waits for the GPU: the name of what waits, and the line that asked for it.
        copies_to_cpu: tensors that were read back; each is a wait as well.
        copies_to_gpu: tensors that were sent; each is a wait as well, unless it was sent with `non_blocking`.
    """

    kernels: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    copies_to_cpu: int = 0
    copies_to_gpu: int = 0

    def clear(self) -> None:
        """Count from zero again."""
        self.kernels.clear()
        self.waits.clear()
        self.copies_to_cpu = self.copies_to_gpu = 0

    def wait(self, name: str) -> None:
        """Count a wait, with the innermost line of this repository that asked for it."""
        frames = [frame for frame in traceback.extract_stack() if frame.filename.startswith(f"{ROOT}/")]
        frames = [frame for frame in frames if frame.filename != __file__ and "/.venv/" not in frame.filename]
        place = f"{frames[-1].filename.removeprefix(f'{ROOT}/')}:{frames[-1].lineno}" if frames else "elsewhere"
        self.waits[f"{name}, {place}"] += 1


class OnPretendGpu(Tensor):
    """A tensor of the pretended GPU; see the top of this file."""

    counts = Counts()  # of the block of `pretend_gpu` that is open

    @staticmethod
    def __new__(cls, values: Tensor) -> OnPretendGpu:
        """The same values, in the same memory."""
        made: OnPretendGpu = torch.Tensor._make_subclass(cls, values)
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """Says that it is on the GPU."""
        return GPU

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        """As `device`."""
        return True

    @property
    def is_cpu(self) -> bool:  # type: ignore[override]
        """As `device`."""
        return False

    def numpy(self, *_: Any, **__: Any) -> Any:
        """Refused, as for every tensor of a GPU."""
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor first.")

    def __array__(self, *_: Any, **__: Any) -> Any:
        """Refused, as `numpy`."""
        self.numpy()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Saved as a tensor of a GPU is, with the place that it came from: it can be read with `map_location` only."""
        plain = _plain(self)
        _SAVED.add(plain.untyped_storage().data_ptr())
        return plain.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation on the CPU, count it, and mark what it returns."""
        kwargs = dict(kwargs or {})
        name = _name_of(func)
        tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
        if name not in COPIES:
            for value in tensors:
                if not isinstance(value, OnPretendGpu) and value.dim() > 0:
                    raise RuntimeError(
                        f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and "
                        f"cpu! ({name}, a tensor of shape {tuple(value.shape)})"
                    )
        known_size = name == "repeat_interleave.Tensor" and kwargs.get("output_size") is not None
        if (name in WAITS and not known_size) or (
            name == "index" and any(value.dtype in (torch.bool, torch.uint8) for value in tensors[1:])
        ):
            cls.counts.wait(name)
        if not _is_view(func):
            cls.counts.kernels[name] += 1
        if "device" in kwargs:
            kwargs["device"] = None
        with torch._C._DisableTorchDispatch():
            out = func(*args, **kwargs)
        known = {id(value) for value in tensors}
        return tree_map_only(Tensor, lambda value: value if id(value) in known else OnPretendGpu(value), out)


def _factory(name: str) -> Callable[..., Any]:
    """A function of torch that makes a tensor, on the pretended GPU where that is asked for."""
    real = getattr(torch, name)

    def make(*args: Any, device: Any = None, **kwargs: Any) -> Any:
        kwargs.pop("pin_memory", None)
        if device is None or torch.device(device).type != "cuda":
            return real(*args, device=device, **kwargs)
        if name in ("tensor", "as_tensor"):
            return _to_gpu(real(*args, **kwargs))
        OnPretendGpu.counts.kernels[name] += name != "empty"
        return OnPretendGpu(real(*args, **kwargs))

    return make


def _method(name: str, on_gpu: Callable[..., Any]) -> Callable[..., Any]:
    """A method of tensors that is another one on the pretended GPU."""
    real = getattr(Tensor, name)
    return lambda self, *args, **kwargs: (on_gpu if isinstance(self, OnPretendGpu) else real)(self, *args, **kwargs)


def _tolist(tensor: Tensor) -> Any:
    OnPretendGpu.counts.wait("tolist")
    return _plain(tensor).tolist()


def _new_tensor(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return _to_gpu(_plain(tensor).new_tensor(*args, **kwargs))


_REAL_TO = Tensor.to


def _moved(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`Tensor.to` in all its forms."""
    asked = kwargs.pop("device", None)
    others: list[Any] = []
    for value in args:
        if isinstance(value, str | torch.device | int) and not isinstance(value, bool):
            asked = value
        elif isinstance(value, Tensor):
            asked, others = value.device, [value.dtype, *others]
        elif value is not None:
            others.append(value)
    target = None if asked is None else torch.device(asked)
    non_blocking = kwargs.pop("non_blocking", False) or True in others[:1]
    others = [value for value in others if not isinstance(value, bool)]
    if target is not None and target.type == "cuda":
        tensor = _to_gpu(tensor, non_blocking=non_blocking)
    elif target is not None and target.type == "cpu":
        tensor = _to_cpu(tensor)
    elif target is not None:
        others.insert(0, target)
    return _REAL_TO(tensor, *others, **kwargs) if others or kwargs else tensor


def _to_gpu(tensor: Tensor, *, non_blocking: bool = False) -> Tensor:
    if isinstance(tensor, OnPretendGpu):
        return tensor
    OnPretendGpu.counts.copies_to_gpu += 1
    if not non_blocking:
        OnPretendGpu.counts.wait("copy to the GPU")
    with torch._C.DisableTorchFunction():
        return _Marked.apply(tensor) if tensor.requires_grad else OnPretendGpu(tensor.clone())


def _to_cpu(tensor: Tensor) -> Tensor:
    if not isinstance(tensor, OnPretendGpu):
        return tensor
    OnPretendGpu.counts.copies_to_cpu += 1
    OnPretendGpu.counts.wait("copy to the CPU")
    return _plain(tensor).clone()


def _plain(tensor: Tensor) -> Tensor:
    """The values as a tensor of the CPU, in the same memory; without a gradient."""
    with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
        return torch.Tensor._make_subclass(Tensor, tensor.detach())


class _Marked(torch.autograd.Function):
    """Sends a tensor to the pretended GPU, and its gradient back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return OnPretendGpu(tensor.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _plain(gradient)


class _Generator(torch.Generator):
    """One of the CPU, whichever device is asked for."""

    def __new__(cls, device: Any = "cpu") -> _Generator:
        return super().__new__(cls)


def _one_hot(x: Tensor, num_classes: int) -> Tensor:
    return (x.unsqueeze(-1) == torch.arange(num_classes, device=x.device)).long()


def _name_of(func: Any) -> str:
    """`add`, or `repeat_interleave.Tensor` where only one overload is meant in the lists above."""
    packet, overload = func.overloadpacket.__name__, func._overloadname
    return f"{packet}.{overload}" if f"{packet}.{overload}" in WAITS else packet


def _is_view(func: Any) -> bool:
    """Whether an operation only looks at memory that is there, or takes some, and starts nothing on a GPU."""
    name = func.overloadpacket.__name__
    aliases = any(value.alias_info is not None and not value.alias_info.is_write for value in func._schema.returns)
    return aliases or name in {"detach", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided",
                               "_unsafe_view", "_reshape_alias", "set_", "resize_"}  # fmt: skip


@contextlib.contextmanager
def pretend_gpu() -> Iterator[Counts]:
    """In this block torch has a GPU, see the top of this file; gives what is counted."""
    counts = OnPretendGpu.counts = Counts()

    def waits(*_: Any, **__: Any) -> None:
        counts.wait("synchronize")

    def autocast(self: torch.autocast, device_type: str, *args: Any, **kwargs: Any) -> None:
        real_autocast(self, "cpu" if device_type == "cuda" else device_type, *args, **kwargs)

    real_autocast: Callable[..., None] = torch.autocast.__init__
    answers: dict[str, Any] = {
        "is_available": lambda: True, "device_count": lambda: 1, "current_device": lambda: 0,
        "is_bf16_supported": lambda *_, **__: True, "get_device_name": lambda *_: "pretended GPU",
        "synchronize": waits, "get_rng_state": lambda *_: torch.get_rng_state(), "set_rng_state": lambda *_: None,
        "manual_seed": lambda *_: None, "manual_seed_all": lambda *_: None, "empty_cache": lambda: None,
        "mem_get_info": lambda *_: (8 * 10**9, 16 * 10**9), "max_memory_allocated": lambda *_: 0,
        "reset_peak_memory_stats": lambda *_: None,
    }  # fmt: skip
    methods: dict[str, Callable[..., Any]] = {
        "to": _moved, "cuda": lambda self, *_, **kwargs: _to_gpu(self, **kwargs), "cpu": lambda self: _to_cpu(self),
        "pin_memory": lambda self: self, "tolist": _method("tolist", _tolist),
        "new_tensor": _method("new_tensor", _new_tensor),
    }  # fmt: skip
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    with contextlib.ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, answer))
        stack.enter_context(mock.patch.object(torch.autocast, "__init__", autocast))
        # Both make tensors of their own within torch's C++ code, which knows nothing of a pretended device.
        stack.enter_context(mock.patch.object(torch, "Generator", _Generator))
        stack.enter_context(mock.patch.object(F, "one_hot", _one_hot))
        for name in FACTORIES:
            stack.enter_context(mock.patch.object(torch, name, _factory(name)))
        for name, method in methods.items():
            stack.enter_context(mock.patch.object(Tensor, name, method))
        stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, before)
        torch.__future__.set_overwrite_module_params_on_conversion(True)  # parameters become tensors of the GPU
        stack.callback(_SAVED.clear)
        yield counts


def to_cpu(values: Any) -> Any:
    """The tensors of some structure, on the CPU; uncounted."""
    return tree_map(lambda value: _plain(value) if isinstance(value, OnPretendGpu) else value, values)
