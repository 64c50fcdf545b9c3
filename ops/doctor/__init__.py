"""What is missing before a deployment, and the command that mends it: `blueprint doctor`. Changes nothing."""
