"""The official protocols by which answers are scored."""
