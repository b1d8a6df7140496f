"""How a page becomes HTML: its layout, its static files, texts from outside, and errors."""
