"""Write enums as a module of another language."""
