"""What the task `interact` is made of: settings, labels, proposals, the teacher's scores, the head, measuring."""
