"""The rules of ``lint``. ``rule.py`` describes how to add one."""
