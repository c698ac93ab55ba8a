"""Reports that come in another program's form, as events of ours, exactly once."""
