"""A trace of ``forward`` of a network of the user's (torch.fx), without leaving anything in the network itself."""

import copy

import torch
from torch import fx, nn

from utils.stack_nodes import of_input


class Root(nn.Module):
    """Calls the network with the sequence alone, so that other arguments have their defaults."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return what the network gives."""
        return self.module(X)


class _Tracer(fx.Tracer):
    """Goes into every module whose forward is not torch's own, and past questions about the axes of the input.

    Args:
        tracks: of the input (batch, tracks, length).
    """

    def __init__(self, tracks: int) -> None:
        super().__init__()
        self.shape = None, tracks, None

    def to_bool(self, obj: fx.Proxy) -> bool:
        try:
            return bool(of_input(obj.node, self.shape))
        except LookupError:
            return super().to_bool(obj)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m).forward.__module__.startswith("torch.nn") and not isinstance(m, nn.Sequential)


def traced_network(module: nn.Module, tracks: int) -> tuple[fx.Graph, nn.Module, str]:
    """Return the trace of a network, the copy that was traced, and why the trace ends before forward does, or nothing.

    Args:
        module: the network; weights that are computed before each call are computed.
        tracks: of the input (batch, tracks, length).
    """
    _compute_weights(module)
    traced, tracer, stopped = Root(copied(module)), _Tracer(tracks), ""
    try:
        tracer.trace(traced)
    except Exception as error:  # noqa: BLE001 the code is the user's: what was recorded before is read
        stopped = f"{type(error).__name__}: {error}"
    return tracer.graph, traced, stopped


def copied(module: nn.Module) -> nn.Module:
    """Return a copy to try a network with: what ``forward`` keeps for later calls stays out of the network itself."""
    try:
        return copy.deepcopy(module)
    except Exception:  # noqa: BLE001 the code is the user's: some modules cannot be copied
        return module


def _compute_weights(module: nn.Module) -> None:
    """Compute the weights that torch's own hooks compute before each call (weight_norm, spectral_norm, prune)."""
    with torch.no_grad():
        for one in module.modules():
            for hook in one._forward_pre_hooks.values():
                if type(hook).__module__.startswith("torch.nn.utils."):
                    hook(one, ())
