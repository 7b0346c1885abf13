"""The HTML pages that people read: one kit of sections, tables, pictures and plots for every report."""
