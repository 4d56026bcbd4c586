"""Engineered features: carry-over, saturation, lags, products, seasonality, public holidays."""
