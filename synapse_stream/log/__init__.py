"""The log: the job streams on a Redis or Valkey server. The only folder that imports redis."""
