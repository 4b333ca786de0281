"""Many methods on one recipe, side by side."""
