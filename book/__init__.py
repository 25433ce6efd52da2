"""What the reader reads, and what turns it into a site: chapters, figures, tables and the builder."""
