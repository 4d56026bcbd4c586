"""What the field's usual models promise beside the neural one."""
