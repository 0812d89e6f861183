"""Whether schema.yaml, the enums, the migrations and a live database still agree."""
