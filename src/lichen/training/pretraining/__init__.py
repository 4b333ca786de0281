"""Makes the small models that the library publishes: they see the playground's pictures and nothing else."""
