"""Heads: adapted features in, a task's raw outputs and losses out."""
