"""`--method auto`: which method a task is served best by."""
