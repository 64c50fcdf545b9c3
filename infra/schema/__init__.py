"""The shape of a stack file: one model per file, and the rules between their fields. Knows nothing of Pulumi."""
