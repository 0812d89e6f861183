"""Draw a schema as an interactive page, SVG, Mermaid, Graphviz or Markdown. No module here reads files or databases."""
