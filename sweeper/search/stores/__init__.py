"""Where a study is kept, and who may write to it."""
