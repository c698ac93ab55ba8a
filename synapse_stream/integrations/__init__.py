"""Bridges from other libraries; each is imported only when somebody asks for it."""
