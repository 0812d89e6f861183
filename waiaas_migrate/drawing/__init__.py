"""Draw a schema as an interactive page, SVG, Mermaid, Graphviz or Markdown."""
