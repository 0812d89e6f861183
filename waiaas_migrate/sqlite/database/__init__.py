"""Find and open databases, set their PRAGMAs and read their catalogs."""
