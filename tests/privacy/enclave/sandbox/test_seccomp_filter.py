"""The filter as the kernel reads it: classic BPF, 8 bytes an instruction."""

from __future__ import annotations

import errno
import struct

import pytest

from privacy.enclave.seccomp_filter import filter_program
from privacy.enclave.system_calls import AFTERWARDS, AT_LAUNCH, SystemCall

# linux/bpf_common.h: load a word, return a constant; linux/seccomp.h: what the kernel does with it
LOAD, RETURN = 0x20, 0x06
ARCHITECTURE_OFFSET = 4
KILL_PROCESS, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000


@pytest.mark.parametrize("allowed", [AT_LAUNCH, AFTERWARDS])
def test_another_architecture_ends_the_whole_process(allowed: tuple[SystemCall, ...]) -> None:
    """Not one of its threads only; everything else fails with an error or is allowed."""
    instructions = list(struct.iter_unpack("<HBBI", filter_program(allowed)))
    loaded, (_, _, otherwise, _) = instructions[:2]

    assert loaded == (LOAD, 0, 0, ARCHITECTURE_OFFSET)
    assert instructions[2 + otherwise] == (RETURN, 0, 0, KILL_PROCESS)
    returned = {answer for code, _, _, answer in instructions if code == RETURN}
    assert returned == {KILL_PROCESS, ALLOW, ERRNO | errno.EPERM, ERRNO | errno.ENOSYS}


def test_a_locked_down_program_cannot_rename_itself() -> None:
    """Its name stands in the host's process listing."""
    prctl = next(call for call in AFTERWARDS if call.name == "prctl")

    assert 15 not in {condition.value for condition in prctl.conditions}
