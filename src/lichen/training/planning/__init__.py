"""What a recipe will need, before anything runs."""
