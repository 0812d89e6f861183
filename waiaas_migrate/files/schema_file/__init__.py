"""Read schema.yaml into the model, report all of its problems, and write it."""
