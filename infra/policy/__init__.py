"""Rules over declared resources, whoever declared them: one file per theme, plain functions that know nothing of Pulumi."""
