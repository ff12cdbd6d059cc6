"""What the command `detaug` can do, a file for each; nothing here needs torch."""
