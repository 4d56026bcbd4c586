"""A process of its own that asks queries: `python -m ...charging_process JOB URL COLLABORATION`.

charge: ten threads ask three times each; prints how many were charged.
hang: begins one query, prints its id, and waits to be killed.
loop: begins and finishes queries until it is killed.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from cleanroom.errors import BudgetSpent
from cleanroom.governance.difference_memory import PreparedState
from cleanroom.governance.governance import Governance
from cleanroom.governance.ledger import Cost
from cleanroom.governance.query_views import FinishedQuery, NewQuery
from cleanroom.governance.room_ids import new_query_id
from cleanroom.governance.store import open_store
from cleanroom.rules.analysis_rule import Mode
from privacy.party_keys import PartyKeys
from tests.cleanroom.governance.example_room import NOON, PEPPER

THREADS, QUESTIONS = 10, 3


def main() -> None:
    """See the module's text."""
    job, url, collaboration = sys.argv[1:]
    store = open_store(url)
    governance = Governance.of(store, pepper=PEPPER, service_keys=PartyKeys.generate("service"))
    if job == "charge":
        with ThreadPoolExecutor(THREADS) as pool:
            asked = pool.map(lambda _: charged(governance, collaboration), range(THREADS * QUESTIONS))
            say(str(sum(asked)))
    elif job == "hang":
        say(begin(governance, collaboration))
        time.sleep(600)
    else:
        finish(governance, collaboration, begin(governance, collaboration))
        say("looping")
        while True:
            finish(governance, collaboration, begin(governance, collaboration))
    store.close()


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def begin(governance: Governance, collaboration: str) -> str:
    cost = Cost(collaboration, ("visits", "sales"), 1.0, 1e-8)
    query = NewQuery(
        id=new_query_id(),
        member="adv",
        question="SELECT COUNT(*) FROM visits",
        plan_digest=new_query_id(),
        basis_digest=governance.queries.basis(cost),
        mode=Mode.DP,
        cost=cost,
    )
    return governance.queries.begin(query, now=NOON).query.id


def charged(governance: Governance, collaboration: str) -> bool:
    try:
        begin(governance, collaboration)
    except BudgetSpent:
        return False
    return True


def finish(governance: Governance, collaboration: str, query_id: str) -> None:
    seen = governance.queries.state(collaboration)
    base = seen.ids[-1] if seen.ids else None
    governance.queries.prepare(query_id, PreparedState(base, query_id, query_id.encode()), seen)
    governance.queries.finish(FinishedQuery(query_id, {"query": query_id}, query_id), now=NOON)


if __name__ == "__main__":
    main()
