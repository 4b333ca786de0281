"""Trains what SMCD adds to a video diffusion model, and the model itself.

`pipeline.py` goes from a recipe to a run; `table.py` is what it learns from.
"""
