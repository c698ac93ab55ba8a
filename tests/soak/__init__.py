"""`make soak`: a deployment at a steady rate for a long time; nothing of it may grow."""
