"""What runs inside one silo: its data, its ledger, its local training. Nothing here sees another silo."""
