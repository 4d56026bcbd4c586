"""The whole platform on one machine: known-truth worlds, scenarios, in-process federation, the demo."""
