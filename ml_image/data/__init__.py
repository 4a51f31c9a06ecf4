"""Pictures with captions: from folders, from files, or drawn."""
