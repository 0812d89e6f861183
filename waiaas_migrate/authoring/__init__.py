"""Write migrations for ``generate``, ``new``, ``rebase`` and ``squash``, and list them for ``record``."""
