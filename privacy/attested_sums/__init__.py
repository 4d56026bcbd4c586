"""Sums in an attested enclave: what silos agree on, check and seal; `server/sum_enclave.py` is the program inside."""
