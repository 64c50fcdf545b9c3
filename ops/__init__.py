"""The `blueprint` command: provision, run, break, explain. The only package that knows app, infra and localcloud at once."""
