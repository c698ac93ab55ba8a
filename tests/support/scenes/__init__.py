"""Real processes on a stage, what they report, and the audit of what is there in the end."""
