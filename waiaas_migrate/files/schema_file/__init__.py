"""schema.yaml: read into the model, or everything that is wrong with it told at once; and written."""
