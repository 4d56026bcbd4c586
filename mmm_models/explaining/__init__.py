"""What a stored run says of each channel, week by week and silo by silo."""
