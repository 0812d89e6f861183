"""The migrations folder: yoyo's files, and the manifest beside them."""
