"""Who may do what, under which signed rules, at what price, and the record of it."""
