"""The field's usual models beside the neural MMM, all under one interface."""
