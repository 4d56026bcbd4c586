"""What a silo says to the coordinator when it refuses: the error's own words, without its disk or its database.

Errors are written for the silo's owner, too, so some name files. The coordinator gets the files' names at most,
never the directories they lie in.
"""

import os
from pathlib import Path

from clients.errors import SiloError
from clients.own_file import read_own_file
from mmm_models.errors import ModelError, SourceUnreadable
from mmm_models.intake.silo_spec import SiloSpec
from privacy.errors import PrivacyError, ValueOutOfRange


def refusal_words(error: SiloError | PrivacyError | ModelError, silo_file: Path) -> str:
    """Kind and message of `error`, then its hint on a line of its own. No directory of the silo's is in it."""
    hint = f"\n{error.hint}" if error.hint else ""
    text = f"{type(error).__name__}: {_message(error)}{hint}"
    for directory in _directories(silo_file):
        text = text.replace(f"{directory}{os.sep}", "").replace(str(directory), "(a directory of the silo)")
    return text


def _message(error: Exception) -> str:
    """A database's own words may hold its address, its user or the rows it choked on. Which values of a vector are
    beyond a range, and how many, says of one silo what only sums may say."""
    if isinstance(error, ValueOutOfRange):
        return "a value is not finite or exceeds the range asked for; nothing was sent"
    if isinstance(error, SourceUnreadable):
        return f"the data cannot be read ({error.code}); `mixroom silo check` at the silo says why"
    return str(error)


def _directories(silo_file: Path) -> list[Path]:
    """Every directory that an error may name, the longest first."""
    found = {silo_file.parent, silo_file.absolute().parent, silo_file.resolve().parent}
    try:
        spec = read_own_file(silo_file)
    except ModelError:
        pass
    else:
        found |= set(_named_in(spec))
    places = {path for path in found if path.is_absolute() and path != Path(path.anchor)}
    return sorted(places, key=lambda path: len(str(path)), reverse=True)


def _named_in(spec: SiloSpec) -> list[Path]:
    state = spec.state_directory / spec.silo
    witness = [spec.ledger_witness] if spec.ledger_witness else []
    return [spec.data_path.parent, spec.state_directory, state, *witness]
