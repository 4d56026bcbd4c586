"""Names in paths, with the shapes that they have."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

_RANDOM = "[a-z2-7]{16}"
CollaborationId = Annotated[
    str, Path(pattern=f"^col-{_RANDOM}$", description="A collaboration.", examples=["col-abcdefgh23456722"])
]
ProposalId = Annotated[
    str, Path(pattern=f"^pro-{_RANDOM}$", description="A proposal.", examples=["pro-abcdefgh23456722"])
]
VersionId = Annotated[
    str,
    Path(pattern=f"^ver-{_RANDOM}$", description="A dataset's version.", examples=["ver-abcdefgh23456722"]),
]
QueryId = Annotated[
    str, Path(pattern=f"^qry-{_RANDOM}$", description="A query.", examples=["qry-abcdefgh23456722"])
]
InvitationId = Annotated[
    str, Path(pattern=f"^inv-{_RANDOM}$", description="An invitation.", examples=["inv-abcdefgh23456722"])
]
KeyId = Annotated[str, Path(pattern=f"^{_RANDOM}$", description="A key's id.", examples=["abcdefgh23456722"])]
DatasetName = Annotated[
    str, Path(pattern="^[a-z_][a-z0-9_]{0,39}$", description="A dataset.", examples=["exposures"])
]
TemplateName = Annotated[
    str, Path(pattern="^[a-z_][a-z0-9_]{0,39}$", description="A template.", examples=["reach_and_frequency"])
]
Offset = Annotated[
    int, Query(ge=0, le=2**50, description="The byte at which this part starts.", examples=[0])
]
After = Annotated[int, Query(ge=0, le=2**50, description="The last entry that is known already.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many entries at most.")]
