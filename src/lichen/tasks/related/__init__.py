"""What the task `relate` is made of: settings, annotated graphs, the head as tasks call it, how it is measured."""
