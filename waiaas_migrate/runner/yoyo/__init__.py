"""Read and write yoyo's tables, which record the migrations that have run."""
