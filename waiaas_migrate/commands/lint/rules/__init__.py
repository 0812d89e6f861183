"""The rules of ``lint``, one module each; ``rule.py`` says what a module needs."""
