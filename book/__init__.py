"""What the reader reads, and what makes it a site: chapters, figures, tables and the builder."""
