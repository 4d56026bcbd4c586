"""A program that does not get as far as its lockdown."""

from privacy.enclave.inside import InsideEnclave

if __name__ == "__main__":
    assert InsideEnclave is not None
    raise SystemExit(3)
