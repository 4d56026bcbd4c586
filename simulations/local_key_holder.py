"""A key holder for silos that one person runs: its own process, its own directory, known to every silo."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flwr.app import UserConfig

from clients.key_holder import HOLDER_KEY, end_holder, running_holder
from clients.silo_home import SiloHome
from mmm_models.intake.silo_file import read_silo_spec
from privacy.masks.secure_aggregation import MINIMUM_ROSTER
from privacy.paillier.aggregation import HOLDER
from privacy.paillier.holder_pipe import Create, Done, Introduced, Pin
from privacy.run_terms import SecureAggregation
from server.settings import RunSettings

HOLDER_NODE = 100


@contextmanager
def local_key_holder(specs: Sequence[Path], settings: RunSettings) -> Iterator[dict[int, UserConfig]]:
    """The key holder's node for a run that needs one, else none. Its process ends with the block.

    Its keys are made in its own process at the first run, and stay in `.mixroom/key-holder` beside the first silo
    file: a resumed run, and the next one, find them there.
    """
    if settings.secure_aggregation is not SecureAggregation.PAILLIER:
        yield {}
        return
    directory = (specs[0].resolve().parent / ".mixroom" / HOLDER).resolve()
    holder = running_holder(directory)
    try:
        made = holder.ask(Create(settings.paillier_bits, MINIMUM_ROSTER, insecure=False), Introduced)
        for home in (SiloHome.of(read_silo_spec(spec)) for spec in specs):
            home.pin(HOLDER, base64.b64encode(made.public_key).decode())
            holder.ask(Pin(home.silo, base64.b64encode(home.identity.public_key).decode()), Done)
        yield {HOLDER_NODE: {HOLDER_KEY: str(directory)}}
    finally:
        end_holder(directory)
