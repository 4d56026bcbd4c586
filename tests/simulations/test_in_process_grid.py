"""The in-process grid is indistinguishable, to an app, from nodes that run elsewhere."""

import threading
import time

import pytest
from flwr.app import ConfigRecord, Context, Error, Message, RecordDict, UserConfig
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run

from simulations.errors import SimulationError
from simulations.in_process_grid import (
    Delivery,
    InProcessGrid,
    InProcessRun,
    Loss,
    run_in_process,
    run_on_grid,
)

NODES: dict[int, UserConfig] = {10: {"partition-id": 0}, 20: {"partition-id": 1}, 30: {"partition-id": 2}}


def counting_client() -> ClientApp:
    """Replies how often it was asked, counted in `Context.state`; other kinds misbehave on purpose."""
    app = ClientApp()

    @app.train("count")
    def count(message, context):
        state = context.state.setdefault("seen", ConfigRecord({"calls": 0}))
        state["calls"] = int(state["calls"]) + 1
        reply = {
            "calls": state["calls"],
            "node": context.node_id,
            "partition": context.node_config["partition-id"],
        }
        return Message(RecordDict({"count": ConfigRecord(reply)}), reply_to=message)

    @app.train("fail")
    def fail(message, context):
        context.state["seen"] = ConfigRecord({"calls": 100})
        raise ValueError(f"silo {context.node_id}: outcome is negative in 3 rows")

    @app.train("refuse")
    def refuse(message, context):
        return Message(Error(4242, f"silo {context.node_id} refuses"), reply_to=message)

    @app.train("slow")
    def slow(message, context):
        time.sleep(0.05 if context.node_id == 20 else 0)
        return Message(RecordDict(), reply_to=message)

    @app.train("meddle")
    def meddle(message, context):
        message.content["shared"]["values"].append(context.node_id)
        context.state["sent"] = ConfigRecord({"secret": 1})
        return Message(RecordDict({"sent": context.state["sent"], **message.content}), reply_to=message)

    @app.train("forget")
    def forget(message, context):
        return None

    @app.query("state")
    def state(message, context):
        return Message(context.state, reply_to=message)

    @app.query("interrupt")
    def interrupt(message, context):
        raise KeyboardInterrupt

    return app


def grid_of(**settings) -> InProcessGrid:
    return InProcessGrid(counting_client(), InProcessRun(NODES, {}, **settings))


def ask(grid: Grid, message_type: str, *, timeout: float | None = None, content: RecordDict | None = None):
    messages = [Message(content or RecordDict(), node, message_type) for node in grid.get_node_ids()]
    return list(grid.send_and_receive(messages, timeout=timeout))


def calls(replies) -> dict[int, int]:
    return {reply.content["count"]["node"]: reply.content["count"]["calls"] for reply in replies}


def test_each_node_keeps_its_own_state_between_messages():
    grid = grid_of()
    assert calls(ask(grid, "train.count")) == {10: 1, 20: 1, 30: 1}
    only_second = Message(RecordDict(), 20, "train.count")
    assert calls(grid.send_and_receive([only_second])) == {20: 2}
    assert calls(ask(grid, "train.count")) == {10: 2, 20: 3, 30: 2}


def test_two_grids_share_no_state():
    ask(grid_of(), "train.count")
    assert calls(ask(grid_of(), "train.count")) == {10: 1, 20: 1, 30: 1}


def test_replies_come_in_message_order_and_carry_the_message_id():
    grid = grid_of()
    messages = [Message(RecordDict(), node, "train.count", group_id="7") for node in (30, 10, 20)]
    replies = grid.send_and_receive(messages)
    assert [reply.metadata.src_node_id for reply in replies] == [30, 10, 20]
    sent_ids = [message.metadata.message_id for message in messages]
    assert len(set(sent_ids)) == 3
    assert [reply.metadata.reply_to_message_id for reply in replies] == sent_ids
    assert {reply.metadata.group_id for reply in replies} == {"7"}


def test_an_exception_reaches_the_server_as_an_error_reply_with_the_silos_text():
    replies = ask(grid_of(), "train.fail", timeout=5)
    assert [reply.error.code for reply in replies] == [ErrorCode.CLIENT_APP_RAISED_EXCEPTION] * 3
    expected = "<class 'ValueError'>:<'silo 20: outcome is negative in 3 rows'>"
    assert replies[1].error.reason == expected
    assert replies[1].metadata.src_node_id == 20


def test_state_changed_before_a_failure_stays_changed():
    grid = grid_of()
    ask(grid, "train.fail")
    assert calls(ask(grid, "train.count")) == {10: 101, 20: 101, 30: 101}


def test_an_error_reply_made_by_the_app_arrives_unchanged():
    reply = ask(grid_of(), "train.refuse")[0]
    assert (reply.error.code, reply.error.reason) == (4242, "silo 10 refuses")


@pytest.mark.parametrize(
    "message_type, text", [("train.forget", "did not return a reply"), ("train.no", "'no'")]
)
def test_a_missing_reply_or_handler_is_an_error_reply(message_type, text):
    replies = ask(grid_of(), message_type)
    assert len(replies) == 3
    assert all(text in reply.error.reason for reply in replies)


def test_a_silo_can_change_neither_the_servers_records_nor_another_silos():
    content = RecordDict({"shared": ConfigRecord({"values": [0]})})
    replies = ask(grid_of(), "train.meddle", content=content)
    assert content["shared"]["values"] == [0]
    assert [reply.content["shared"]["values"] for reply in replies] == [[0, 10], [0, 20], [0, 30]]


def test_the_server_cannot_change_a_silos_state_through_a_reply():
    grid = grid_of()
    for reply in ask(grid, "train.meddle", content=RecordDict({"shared": ConfigRecord({"values": [0]})})):
        reply.content["sent"]["secret"] = 2
    assert [reply.content["sent"]["secret"] for reply in ask(grid, "query.state")] == [1, 1, 1]


def test_a_lost_message_is_neither_handled_nor_answered():
    grid = grid_of(dropouts={Delivery(20, "train.count", 2): Loss.MESSAGE})
    assert calls(ask(grid, "train.count", timeout=5)) == {10: 1, 20: 1, 30: 1}
    assert calls(ask(grid, "train.count", timeout=5)) == {10: 2, 30: 2}
    assert calls(ask(grid, "train.count", timeout=5)) == {10: 3, 20: 2, 30: 3}


def test_a_lost_reply_was_handled_but_not_answered():
    grid = grid_of(dropouts={Delivery(20, "train.count"): Loss.REPLY})
    assert calls(ask(grid, "train.count", timeout=5)) == {10: 1, 30: 1}
    assert calls(ask(grid, "train.count", timeout=5)) == {10: 2, 20: 2, 30: 2}


def test_a_dropout_hits_only_its_own_message_type():
    grid = grid_of(dropouts={Delivery(20, "train.refuse"): Loss.MESSAGE})
    assert calls(ask(grid, "train.count", timeout=5)) == {10: 1, 20: 1, 30: 1}


def test_without_a_timeout_the_superlink_answers_for_a_lost_node():
    grid = grid_of(dropouts={Delivery(20, "train.count"): Loss.MESSAGE})
    messages = [Message(RecordDict(), node, "train.count") for node in NODES]
    unavailable = grid.send_and_receive(messages)[1]
    assert unavailable.error.code == ErrorCode.NODE_UNAVAILABLE
    assert unavailable.metadata.src_node_id == SUPERLINK_NODE_ID
    assert unavailable.metadata.reply_to_message_id == messages[1].metadata.message_id


def test_a_message_to_a_node_that_does_not_exist_is_not_answered():
    assert grid_of().send_and_receive([Message(RecordDict(), 99, "train.count")], timeout=5) == []


def test_a_reply_later_than_the_timeout_is_missing_but_can_be_pulled_once():
    grid = grid_of()
    messages = [Message(RecordDict(), node, "train.slow") for node in NODES]
    replies = grid.send_and_receive(messages, timeout=0.04)
    assert 20 not in {reply.metadata.src_node_id for reply in replies}
    late = [messages[1].metadata.message_id]
    assert [reply.metadata.src_node_id for reply in grid.pull_messages(late)] == [20]
    assert grid.pull_messages(late) == []


def test_pushed_messages_are_answered_when_pulled():
    grid = grid_of()
    ids = grid.push_messages(
        [grid.create_message(RecordDict(), "train.count", node, group_id="1") for node in (10, 30)]
    )
    assert calls(grid.pull_messages(ids)) == {10: 1, 30: 1}


def test_threads_handle_different_nodes_at_once():
    app, meeting = ClientApp(), threading.Barrier(3, timeout=5)

    @app.train("meet")
    def meet(message, context):
        meeting.wait()  # passes only if all three nodes are here at once
        return Message(RecordDict(), reply_to=message)

    replies = ask(InProcessGrid(app, InProcessRun(NODES, {}, max_workers=3)), "train.meet")
    assert [reply.has_error() for reply in replies] == [False] * 3
    assert [reply.metadata.src_node_id for reply in replies] == [10, 20, 30]


def test_threads_never_give_one_node_two_messages_at_once():
    app, alone = ClientApp(), threading.Lock()

    @app.train("occupy")
    def occupy(message, context):
        assert alone.acquire(blocking=False), "two messages at once"
        time.sleep(0.01)
        alone.release()
        return Message(RecordDict(), reply_to=message)

    grid = InProcessGrid(app, InProcessRun(NODES, {}, max_workers=3))
    replies = grid.send_and_receive([Message(RecordDict(), 10, "train.occupy") for _ in range(3)])
    assert [reply.has_error() for reply in replies] == [False] * 3


def test_both_apps_read_the_same_run_config_and_each_its_own_node_config():
    server, client, seen = ServerApp(), ClientApp(), []

    @client.query("config")
    def config(message, context):
        seen.append((context.run_id, context.node_config["partition-id"], context.run_config["rounds"]))
        return Message(RecordDict(), reply_to=message)

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        ask(grid, "query.config")
        context.state["done"] = ConfigRecord(
            {"rounds": context.run_config["rounds"], "node": context.node_id}
        )

    context = run_in_process(server, client, run_config={"rounds": 4}, node_configs=NODES, run_id=77)
    assert seen == [(77, 0, 4), (77, 1, 4), (77, 2, 4)]
    assert context.state["done"] == {"rounds": 4, "node": SUPERLINK_NODE_ID}


def test_ctrl_c_in_a_silo_stops_the_whole_run():
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        ask(grid, "query.interrupt")

    with pytest.raises(KeyboardInterrupt):
        run_on_grid(server, grid_of())


def test_a_failure_of_the_server_reaches_the_caller():
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        raise ArithmeticError("no silo answered")

    with pytest.raises(ArithmeticError, match="no silo answered"):
        run_on_grid(server, grid_of())


@pytest.mark.parametrize("node_configs", [{}, {SUPERLINK_NODE_ID: {}, 2: {}}])
def test_node_ids_must_exist_and_not_be_the_servers(node_configs):
    with pytest.raises(SimulationError, match="belongs to the server"):
        InProcessRun(node_configs, {})


def test_fewer_than_one_worker_is_refused():
    with pytest.raises(SimulationError, match="max_workers is 0"):
        InProcessRun(NODES, {}, max_workers=0)


def test_a_grid_serves_one_run():
    grid = grid_of(run_id=5)
    grid.set_run(Run.create_empty(5))
    assert grid.run.run_id == 5
    with pytest.raises(SimulationError, match="not 6"):
        grid.set_run(Run.create_empty(6))
