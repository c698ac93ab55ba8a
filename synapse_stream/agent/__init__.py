"""One process a host: it takes what others report, adopts what they leave, holds the token."""
