"""The processes that project: lease, feed, read, fold, commit; trimming."""
