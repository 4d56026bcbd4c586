"""From results to what people read: result files, figures with their tables, one self-contained page."""
