"""What is said about a picture: captions with their phrases, referring expressions, questions with their answers."""
