"""`maskflow label`: a page on which a person points, sees it tracked, and puts right what is wrong."""
