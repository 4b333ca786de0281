"""What a text decoder is asked and how its answers count: read `asked.py`, then `examples.py`, then `scoring.py`."""
