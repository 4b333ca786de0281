"""From a recipe to a trained run: `pipeline` leads through it."""
