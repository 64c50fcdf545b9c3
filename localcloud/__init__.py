"""A stand-in for the parts of Google Cloud that the blueprint uses; it knows Google's shapes and nothing of app/ or infra/."""
