"""Reading jobs: what is recorded, what is recorded now, and the views of it."""
