"""Runs found by filters, in orders, over what run-state and metric-history keep of them."""
