"""What engineered features are."""
