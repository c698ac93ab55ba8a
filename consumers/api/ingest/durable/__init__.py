"""Jobs as streams in the terms of the Durable Streams protocol: JSON in, recorded events out."""
