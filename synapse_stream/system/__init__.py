"""What Python and the kernel tell of a process, and what is asked of them."""
