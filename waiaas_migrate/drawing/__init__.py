"""Pictures of a schema: an interactive page, SVG, Mermaid, Graphviz and Markdown."""
