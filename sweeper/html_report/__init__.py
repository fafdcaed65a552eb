"""One HTML file about a study, made from its folder alone; see ``report_page.py``."""
