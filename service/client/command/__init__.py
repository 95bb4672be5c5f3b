"""`dvpt-classify`: answers for whole folders, in one file."""
