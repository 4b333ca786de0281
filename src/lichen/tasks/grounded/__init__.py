"""What the task `ground` is made of: settings, captions as numbers, the head as tasks call it."""
