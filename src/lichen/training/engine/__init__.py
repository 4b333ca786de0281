"""The trainer: transformers' Trainer with whole checkpoints, exact resuming and clean stops."""
