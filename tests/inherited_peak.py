"""The peak of memory that a process took over from the one that started it."""

import resource


def inherited_peak_mib() -> int:
    """Called first thing. Linux counts the starting process's peak (a whole test suite's) as the started one's own."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
