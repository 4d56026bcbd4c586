"""The marketing-mix models: panels, transforms, the neural MMM, evaluation, attribution, reports."""
