"""Run state: where a job stands."""
