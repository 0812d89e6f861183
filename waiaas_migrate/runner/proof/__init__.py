"""What is proved before COMMIT: that the schema is as it should be, and that no foreign key was broken."""
