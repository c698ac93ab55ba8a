"""The processes that project the streams into views."""
