"""Whether a Cloud Storage location is away from a Cloud Run region."""

# Predefined dual-regions: cloud.google.com/storage/docs/locations. A configurable dual-region reports its continent.
_DUAL = {
    "asia1": ("asia-northeast1", "asia-northeast2"),
    "eur4": ("europe-north1", "europe-west4"),
    "eur5": ("europe-west1", "europe-west2"),
    "eur7": ("europe-west2", "europe-west3"),
    "eur8": ("europe-west3", "europe-west6"),
    "nam4": ("us-central1", "us-east1"),
}
_MULTI = {"asia": "asia-", "eu": "europe-", "us": "us-"}


def is_elsewhere(location: str, region: str) -> bool:
    """True only if both are known and the bucket keeps no copy in `region` (or, for a multi-region, on its continent)."""
    location, region = location.lower(), region.lower()
    if not location or not region:
        return False
    if location in _MULTI:
        return not region.startswith(_MULTI[location])
    return region not in _DUAL.get(location, (location,))
