"""Read and write the tables that record applied migrations: yoyo's tables, and one of the runner's."""
