"""A trained model as one JSON file: parameters with everything needed to use them again, and a digest."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmm_models.errors import StoredModelDamaged
from mmm_models.federated_spec import FederatedModel
from mmm_models.network import MediaResponse
from mmm_models.scaling import Scales
from mmm_models.training import set_vector

FILE_NAME, FORMAT = "model.json", "mixroom-model/1"


@dataclass(frozen=True, eq=False)
class StoredModel:
    """Shared response parameters `[parameter]` under the scales and description they were trained with.

    `covariance` [parameter, parameter]: how sure they are; None where the run does not know.
    """

    description: FederatedModel
    scales: Scales
    parameters: NDArray[np.float64]
    covariance: NDArray[np.float64] | None = None

    def response(self) -> MediaResponse:
        """The network with these parameters."""
        response = MediaResponse(self.description.model, self.scales.spend_per_revenue.tolist())
        set_vector(response, self.parameters)
        return response

    def save(self, directory: Path) -> Path:
        """Write `model.json`, whole or not at all."""
        body = {
            "format": FORMAT,
            "description": self.description.model_dump(mode="json"),
            "scales": self.scales.to_vector().tolist(),
            "parameters": {name: value.tolist() for name, value in self.response().named_parameters()},
            "vector": self.parameters.tolist(),
            "covariance": None if self.covariance is None else self.covariance.tolist(),
        }
        path = directory / FILE_NAME
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps({**body, "sha256": _digest(body)}, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)
        return path


def load_model(directory: Path) -> StoredModel:
    """Raises StoredModelDamaged unless the file is whole, unchanged and of this version."""
    path = directory / FILE_NAME
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        digest = stored.pop("sha256")
        if digest != _digest(stored) or stored["format"] != FORMAT:
            raise StoredModelDamaged(path)
        description = FederatedModel.model_validate(stored["description"])
        scales = Scales.from_vector(np.array(stored["scales"]), description.media_per)
        parameters, covariance = np.array(stored["vector"]), stored.get("covariance")
        if covariance is None:
            return StoredModel(description, scales, parameters)
        return StoredModel(description, scales, parameters, np.array(covariance).reshape(parameters.size, -1))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoredModelDamaged(path) from error


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
