"""Per-unit gradients are exact, and a network in which units could influence each other is refused."""

import pytest
import torch
from opacus import GradSampleModule
from torch import Tensor, nn

from privacy.errors import NetworkUnsuitable
from privacy.per_unit_gradients import PerUnitGradients, UnitWiseNetwork
from tests.privacy.small_response import (
    CHANNELS,
    ResponseNetwork,
    gradients_of,
    mean_squares,
    panel,
    plain_gradient,
)


class TestPerUnitGradients:
    def test_equal_a_loop_over_units(self) -> None:
        network, inputs = ResponseNetwork(), panel(7)
        rows = []
        for unit in range(7):
            rows.append(plain_gradient(network, inputs[unit : unit + 1]))

        torch.testing.assert_close(gradients_of(inputs), torch.stack(rows).double(), rtol=1e-5, atol=1e-7)

    def test_equal_a_vectorised_map_over_units(self) -> None:
        network, inputs = ResponseNetwork(), panel(7)
        shared = {name: value.detach() for name, value in network.named_parameters()}

        def loss(parameters: dict[str, Tensor], unit: Tensor) -> Tensor:
            output = torch.func.functional_call(network, parameters, (unit.unsqueeze(0),))
            return mean_squares(output, unit).sum()

        mapped = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(shared, inputs)
        flat = torch.cat([value.reshape(7, -1) for value in mapped.values()], dim=1)

        torch.testing.assert_close(gradients_of(inputs), flat.double(), rtol=1e-5, atol=1e-7)

    # Opacus hooks a module whose inputs need no gradient; torch remarks on that.
    @pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")
    def test_equal_the_gradients_of_opacus_own_hooks(self) -> None:
        network, inputs = ResponseNetwork(), panel(7)
        hooked = GradSampleModule(network, loss_reduction="sum", force_functorch=True)
        mean_squares(hooked(inputs), inputs).sum().backward()
        samples: list[Tensor] = [vars(value)["grad_sample"] for value in network.parameters()]
        flat = torch.cat([sample.reshape(7, -1) for sample in samples], dim=1)

        torch.testing.assert_close(gradients_of(inputs), flat.double(), rtol=1e-5, atol=1e-7)

    def test_add_up_to_the_plain_gradient_and_leave_the_network_alone(self) -> None:
        network, inputs = ResponseNetwork(), panel(30)
        per_unit = PerUnitGradients(network)(inputs, mean_squares)
        assert all(value.grad is None and not hasattr(value, "grad_sample") for value in network.parameters())

        plain = plain_gradient(network, inputs).double()

        torch.testing.assert_close(per_unit.sum(dim=0), plain, rtol=1e-4, atol=1e-6)

    def test_skip_frozen_parameters(self) -> None:
        network = ResponseNetwork()
        network.decay.requires_grad_(False)
        gradients = PerUnitGradients(network)

        assert gradients.names == ("half_saturation", "effect", "trend")
        torch.testing.assert_close(gradients(panel(5), mean_squares), gradients_of(panel(5))[:, CHANNELS:])

    def test_of_no_units_are_no_rows(self) -> None:
        gradients = PerUnitGradients(ResponseNetwork())

        assert gradients(panel(0), mean_squares).shape == (0, gradients.size) == (0, 10)

    def test_of_a_unit_do_not_depend_on_the_others(self) -> None:
        """Exactly, in the last bit: what clipping bounds is one unit's own."""
        inputs, others = panel(5), panel(5)
        others[1:] = panel(4, seed=9) * 50

        assert gradients_of(inputs)[0].tolist() == gradients_of(others)[0].tolist()
        assert gradients_of(inputs)[1].tolist() != gradients_of(others)[1].tolist()

    def test_of_a_poisoned_unit_poison_no_other(self) -> None:
        inputs, poisoned = panel(4), panel(4)
        poisoned[2] = torch.nan
        clean, found = gradients_of(inputs), gradients_of(poisoned)

        assert found[2].isnan().all()
        assert found[[0, 1, 3]].tolist() == clean[[0, 1, 3]].tolist()

    def test_are_taken_of_a_network_that_says_it_treats_units_apart(self) -> None:
        assert isinstance(ResponseNetwork(), UnitWiseNetwork)
        assert not isinstance(nn.Linear(3, 1), UnitWiseNetwork)


class TestUnsuitableNetworks:
    def test_a_network_without_per_unit_parameters_is_refused(self) -> None:
        with pytest.raises(NetworkUnsuitable, match="Linear"):
            PerUnitGradients(nn.Linear(3, 1))

    def test_a_network_with_buffers_is_refused(self) -> None:
        network = ResponseNetwork()
        network.register_buffer("running_mean", torch.zeros(1))

        with pytest.raises(NetworkUnsuitable, match="buffers"):
            PerUnitGradients(network)

    def test_a_loss_that_averages_over_units_is_refused(self) -> None:
        with pytest.raises(NetworkUnsuitable, match="shape"):
            PerUnitGradients(ResponseNetwork())(panel(3), lambda output, inputs: output.square().mean())

    def test_a_loss_that_mixes_units_is_refused(self) -> None:
        gradients = PerUnitGradients(ResponseNetwork())
        gradients.check_units_do_not_mix(panel(4), mean_squares)

        with pytest.raises(NetworkUnsuitable, match="other units"):
            gradients.check_units_do_not_mix(panel(4), lambda o, i: ((o - o.mean(dim=0)) ** 2).mean(dim=1))

    def test_a_model_that_has_diverged_is_refused_before_the_data_are_used(self) -> None:
        network = ResponseNetwork()
        with torch.no_grad():
            network.effect[0] = torch.nan

        with pytest.raises(NetworkUnsuitable, match="finite"):
            PerUnitGradients(network)(panel(3), mean_squares)
