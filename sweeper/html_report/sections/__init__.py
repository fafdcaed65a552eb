"""The sections of a report; ``SECTIONS`` in ``report_page.py`` says in which order."""
