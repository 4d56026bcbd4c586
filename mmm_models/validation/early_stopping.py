"""Stop learning when the weeks that judge no longer get better."""

from dataclasses import dataclass, field


@dataclass
class EarlyStopping:
    """Told each step's error on weeks that are not learnt from; remembers the best step, counted from one."""

    patience: int
    best_step: int = 0
    best_error: float = field(default=float("inf"))
    step: int = 0

    def should_stop(self, error: float) -> bool:
        """Note one more step; true once `patience` steps have passed without a lower error (or with NaN)."""
        self.step += 1
        if error < self.best_error:
            self.best_error, self.best_step = error, self.step
        return self.step - self.best_step >= self.patience
