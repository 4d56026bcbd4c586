"""The gradient of one loss per unit with respect to a network's shared parameters, all units in one pass.

Expanding every shared parameter to one copy per unit gives all gradients in one forward and one backward pass.
Opacus' hooks give the same numbers on a network with raw parameters, but need two of each (2.6 times as long).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from privacy.errors import NetworkUnsuitable

# (network output [unit, ...], inputs [unit, ...]) -> loss [unit]
UnitLoss = Callable[[Tensor, Tensor], Tensor]
_INDEPENDENCE_TOLERANCE = 1e-3


@runtime_checkable
class UnitWiseNetwork(Protocol):
    """A network whose shared parameters may differ from unit to unit."""

    def forward_per_unit(self, parameters: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        """Output [unit, ...] when unit u uses `parameters[name][u]`; no unit may read another's input."""


class PerUnitGradients:
    """Exact gradients of one loss per unit with respect to a network's shared parameters."""

    def __init__(self, network: nn.Module) -> None:
        if not isinstance(network, UnitWiseNetwork):
            raise NetworkUnsuitable(
                f"{type(network).__name__} has no forward_per_unit",
                hint="add forward_per_unit(parameters, inputs)",
            )
        if next(network.buffers(), None) is not None:
            raise NetworkUnsuitable(
                f"{type(network).__name__} keeps buffers, through which units could influence each other",
                hint="pass constants as arguments or keep them as plain attributes",
            )
        self._network = network
        self._forward = network.forward_per_unit
        self.names = tuple(name for name, value in network.named_parameters() if value.requires_grad)
        self.size = sum(network.get_parameter(name).numel() for name in self.names)

    def __call__(self, inputs: Tensor, unit_loss: UnitLoss) -> Tensor:
        """Gradients [unit, parameter], float64, not clipped, not noised: they must not leave this process."""
        n_units = inputs.shape[0]
        if n_units == 0:
            return torch.zeros((0, self.size), dtype=torch.float64)
        shared = {name: value.detach() for name, value in self._network.named_parameters()}
        if not all(bool(value.isfinite().all()) for value in shared.values()):
            raise NetworkUnsuitable(
                "the model holds values that are not finite", hint="go back to a checkpoint"
            )
        with torch.enable_grad():
            copies = {name: value.expand(n_units, *value.shape).clone() for name, value in shared.items()}
            leaves = [copies[name].requires_grad_() for name in self.names]
            losses = unit_loss(self._forward(copies, inputs), inputs)
            if losses.shape != (n_units,):
                raise NetworkUnsuitable(
                    f"the loss has shape {tuple(losses.shape)}",
                    hint="return one loss per unit, neither sum nor mean",
                )
            gradients = torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)
        return torch.cat([gradient.reshape(n_units, -1).double() for gradient in gradients], dim=1)

    def check_units_do_not_mix(self, public_inputs: Tensor, unit_loss: UnitLoss) -> None:
        """Refuse a network or loss in which one unit's gradient depends on another's data.

        Clipping bounds a unit's own gradient; if its data also moved other units' gradients, the sum would
        not be bounded. Give made-up inputs with at least two different units, never private ones.
        """
        together = self(public_inputs, unit_loss)
        apart = torch.cat(
            [self(public_inputs[unit : unit + 1], unit_loss) for unit in range(len(public_inputs))]
        )
        if not bool((together - apart).norm() <= _INDEPENDENCE_TOLERANCE * apart.norm()):
            raise NetworkUnsuitable(
                "a unit's gradient changes with the other units of its batch",
                hint="remove statistics over units from the network and the loss",
            )
