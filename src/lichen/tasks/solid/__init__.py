"""Of the task `solids`: what is learnt from Scenes, its head, cameras, scores."""
