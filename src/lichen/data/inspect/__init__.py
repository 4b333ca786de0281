"""What a folder of Scenes holds: statistics, plots, and a contact sheet."""
