"""Frozen pretrained models and the hidden states that they leave."""
