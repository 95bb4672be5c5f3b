"""From the bytes of a body to pixels, on threads that tasks share fairly."""
