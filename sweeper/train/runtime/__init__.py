"""What a process of a trial runs with: seeds, number formats, compiled programs, imports."""
