"""Run a command and print its seconds, peak memory and exit code as one line of JSON.

Started as a process of its own with nothing but the standard library loaded: Linux counts the memory of the
process that starts a command into that command's peak.
"""

import json
import os
import subprocess
import sys
import time


def main(log: str, *command: str) -> None:
    """Output of the command goes to the file `log`. `peak_bytes` is the largest of it and its own children."""
    began = time.perf_counter()
    with open(log, "wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    code = child.returncode = os.waitstatus_to_exitcode(status)
    kilobyte = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    print(json.dumps({"seconds": seconds, "peak_bytes": usage.ru_maxrss * kilobyte, "exit_code": code}))


if __name__ == "__main__":
    main(*sys.argv[1:])
