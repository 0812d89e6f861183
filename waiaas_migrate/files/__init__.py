"""Read and write a project's files, without opening a database."""
