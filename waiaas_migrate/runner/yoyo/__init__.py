"""Read and write the records of applied migrations: yoyo's tables and the runner's."""
