"""How small a sum a lying coordinator can open, and the threshold that keeps it large enough for shared noise.

A coordinator that tells every silo of the same dropouts opens sums of at least max(threshold, min_silos) silos.
One that tells them of different ones can leave out more, because unmasking needs only `threshold` of the replies:
ten silos, of which a threshold of seven allows three to be called dropped, can be made to open a sum of six.

Let n silos be in the roster, c of them collude, h = n - c be honest, t the threshold, and d = n - max(t, min_silos)
the most that a silo lets itself be told have dropped out. Silo i is visible in a sum without silo j only when
s_ij is opened, which takes t - c honest replies with j dropped (see `secure_aggregation` for c < 2t - n; then
s_ij cannot be opened from j's side). All h honest replies together call h d silos dropped, so they leave out at
most h d / (t - c).
"""

from privacy.errors import InvalidSetting
from privacy.masks.secure_aggregation import MINIMUM_ROSTER, smallest_threshold


def fewest_honest_in_a_sum(
    n_silos: int, threshold: int, *, min_silos: int = MINIMUM_ROSTER, colluding: int = 0
) -> int:
    """The fewest honest silos in any sum that a lying coordinator with `colluding` silos can open.

    Sharp. Raises InvalidSetting where single updates would open: colluding >= 2 threshold - n.
    """
    if not 0 <= colluding < 2 * threshold - n_silos:
        raise InvalidSetting(
            f"with {colluding} colluding silos a threshold of {threshold} among {n_silos} hides no single update",
            hint="plan for fewer colluding silos, or for fewer dropouts",
        )
    honest, told_dropped = n_silos - colluding, n_silos - max(threshold, min_silos)
    return honest - honest * told_dropped // (threshold - colluding)


def threshold_for_shared_noise(n_silos: int, *, survivors: int, colluding: int) -> int:
    """The smallest threshold at which every opened sum holds survivors - colluding honest shares of noise.

    Every silo must ask for `survivors` in a sum. Raises InvalidSetting when no threshold up to that will do.
    """
    for threshold in range(smallest_threshold(n_silos), survivors + 1):
        if colluding < 2 * threshold - n_silos:
            fewest = fewest_honest_in_a_sum(n_silos, threshold, min_silos=survivors, colluding=colluding)
            if fewest >= survivors - colluding:
                return threshold
    raise InvalidSetting(
        f"among {n_silos} silos no threshold keeps {survivors - colluding} honest ones in every sum of {survivors}, "
        f"{colluding} of which may collude",
        hint="plan for fewer dropouts or fewer colluding silos, or invite more silos",
    )
