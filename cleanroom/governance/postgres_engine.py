"""PostgreSQL for the store, through psycopg 3."""

from __future__ import annotations

from sqlalchemy import URL, Engine, create_engine


def postgres_engine(url: URL, *, busy_seconds: float) -> Engine:
    """Connections whose statements wait at most `busy_seconds` for a lock; none is echoed with its values."""
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_size=10,
        max_overflow=30,
        pool_timeout=busy_seconds,
        pool_pre_ping=True,
        connect_args={"options": f"-c lock_timeout={int(busy_seconds * 1000)} -c timezone=UTC"},
    )
