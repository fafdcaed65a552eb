"""What a person can ask for beside a fine-tune or a sweep, one module a command."""
