"""What the declared traffic costs a month: pure functions of `Stack`, from list prices. Asks nobody, and is no invoice."""
