"""Read and write the migrations folder: the migrations, which yoyo can read, too, and ``manifest.json``."""
