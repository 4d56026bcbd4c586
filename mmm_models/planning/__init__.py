"""From a stored run to plans: what the past was, what more or less of each channel would do, and where money goes."""
