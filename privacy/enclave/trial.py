"""The program of a trial start: it does nothing but lock itself down."""

from __future__ import annotations

from privacy.enclave.inside import InsideEnclave

if __name__ == "__main__":
    InsideEnclave.enter().receive()
