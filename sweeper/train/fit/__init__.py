"""One fine-tune: its phases, what each trains on, and where it stands."""
