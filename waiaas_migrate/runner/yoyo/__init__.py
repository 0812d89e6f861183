"""Read and write the tables that record which migrations have run: yoyo's, and one of the runner's."""
