"""A key holder's directory beside silo files, with one 2048-bit key for a whole session: making one takes a while."""

from functools import lru_cache
from pathlib import Path

from privacy.identity import PinnedPeers, SiloIdentity
from privacy.paillier.aggregation import HOLDER
from privacy.paillier.holder_home import HolderHome
from privacy.paillier.keys import FEWEST_BITS, HolderKey, ModulusRule
from tests.small_federation import add_rules

SHORTER_KEY = {"secure_aggregation": "paillier", "paillier_bits": FEWEST_BITS}


def with_key_holder(silo_files: tuple[Path, ...]) -> HolderHome:
    """Silos that accept 2048 bits, and the key holder where `local_key_holder` will look for it."""
    for path in silo_files:
        add_rules(path, min_modulus_bits=FEWEST_BITS)
    directory = silo_files[0].parent / ".mixroom" / HOLDER
    directory.mkdir(parents=True)
    _key().save(directory / "paillier-key.json")
    SiloIdentity.generate(HOLDER).save(directory / "identity.pem")
    home = HolderHome(directory)
    PinnedPeers({}).save(home.peers_path)
    return home


@lru_cache
def _key() -> HolderKey:
    return HolderKey.generate(ModulusRule(FEWEST_BITS), min_silos=3)
