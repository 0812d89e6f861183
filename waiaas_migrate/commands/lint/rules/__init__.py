"""The rules of ``lint``; ``rule.py`` says what a rule needs."""
