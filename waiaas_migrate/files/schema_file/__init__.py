"""Read schema.yaml into the model, report everything that is wrong with it at once, and write it."""
