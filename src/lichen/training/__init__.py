"""Training of side networks: comparing methods side by side."""
