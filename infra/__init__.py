"""The Pulumi program: what a platform team runs with `pulumi up`. Imports nothing of app/ or localcloud/."""
