"""The program inside the enclave: everything it needs is loaded, then nothing more can be, then it serves one job."""

from __future__ import annotations

from cleanroom.worker.serving import serve
from privacy.enclave.inside import InsideEnclave

if __name__ == "__main__":
    serve(InsideEnclave.enter())
