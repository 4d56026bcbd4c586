"""What owners allow: one signed document per dataset, and the verdict on a plan under all of them."""
